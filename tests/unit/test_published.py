"""The published training, on the published architecture: what can be known of it without its weights."""

import re

import pytest
import torch

from leakage.models.adapter import lora_config
from leakage.training.sft import _arguments, step_count

LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
BLOCKS = {
    "qwen2.5-0.5b-instruct": 24,
    "qwen2.5-1.5b-instruct": 28,
    "qwen2.5-3b-instruct": 36,
    "qwen2.5-7b-instruct": 28,
    "qwen2.5-14b-instruct": 48,
    "llama-3.1-8b-instruct": 32,
}


@pytest.fixture(scope="module")
def published(compose):
    return compose("model=qwen2.5-7b-instruct")


@pytest.fixture(scope="module")
def adapted(published):
    """Qwen2.5-7B in its true shape with the published adapter on it; on the meta device, which stores nothing."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, Qwen2Config

    shape = Qwen2Config(
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=BLOCKS["qwen2.5-7b-instruct"],
        num_attention_heads=28,
        num_key_value_heads=4,
        vocab_size=152064,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(shape, dtype=getattr(torch, published.model.dtype))
    assert base.num_parameters() == 7_615_616_512
    return get_peft_model(base, lora_config(published.lora))


@pytest.fixture(scope="module")
def arguments(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arguments")
    return _arguments(published.train, folder, seed=published.seed, device="cpu")


def test_the_adapter_has_the_published_number_of_trainable_parameters(adapted):
    trainable = [weight for weight in adapted.parameters() if weight.requires_grad]
    assert {weight.device.type for weight in trainable} == {"meta"}
    assert sum(weight.numel() for weight in trainable) == 80_740_352


def test_every_linear_layer_of_every_block_is_adapted_and_no_embedding_is(adapted):
    carriers = [name for name, module in adapted.named_modules() if hasattr(module, "lora_A")]
    in_blocks = {(name.split(".")[-3], name.split(".")[-1]) for name in carriers}
    assert in_blocks == {(str(block), kind) for block in range(28) for kind in LINEAR}
    assert len(carriers) == 28 * len(LINEAR)
    for plain in (adapted.get_input_embeddings(), adapted.get_output_embeddings()):
        assert type(plain) in {torch.nn.Embedding, torch.nn.Linear}
        assert not any(weight.requires_grad for weight in plain.parameters())


def test_the_adapter_is_scaled_by_alpha_over_the_root_of_its_rank(adapted):
    scales = {module.scaling["default"] for module in adapted.modules() if hasattr(module, "lora_A")}
    assert scales == {64 / 32**0.5}
    assert round(scales.pop(), 2) == 11.31
    rates = {module.lora_dropout["default"].p for module in adapted.modules() if hasattr(module, "lora_A")}
    assert rates == {0.05}


def test_the_base_is_in_bfloat16_and_the_adapter_learns_in_float32(adapted):
    """Steps of 1e-5 would be lost in bfloat16's rounding of the adapter's weights."""
    types = {(weight.requires_grad, weight.dtype) for weight in adapted.parameters()}
    assert types == {(False, torch.bfloat16), (True, torch.float32)}


@pytest.mark.parametrize(("examples", "steps", "warmup"), [(700, 132, 7), (800, 150, 8), (6000, 1125, 57)])
def test_steps_and_warm_up_are_the_published_ones(published, arguments, examples, steps, warmup):
    assert step_count(examples, published.train) == steps
    assert arguments.get_warmup_steps(steps) == warmup  # 5 %, rounded up as transformers does


def test_every_published_training_value_reaches_transformers(arguments):
    assert arguments.optim in {"adamw_torch", "adamw_torch_fused"}
    assert (arguments.adam_beta1, arguments.adam_beta2, arguments.adam_epsilon) == (0.9, 0.999, 1e-8)
    assert (arguments.learning_rate, arguments.weight_decay, arguments.max_grad_norm) == (1e-5, 0.0, 1.0)
    assert arguments.lr_scheduler_type == "cosine"
    assert (arguments.num_train_epochs, arguments.max_steps) == (3, -1)
    assert (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps) == (16, 1)
    assert (arguments.seed, arguments.data_seed) == (42, 42)
    assert not arguments.fp16


def test_the_learning_rate_rises_for_7_of_132_steps_and_falls_to_nothing_as_a_cosine(arguments):
    """Of the scheduler that Trainer itself makes of the arguments."""
    from math import cos, pi

    from transformers import Trainer

    trainer = Trainer(model=torch.nn.Linear(1, 1), args=arguments)
    trainer.create_optimizer_and_scheduler(132)
    assert isinstance(trainer.optimizer, torch.optim.AdamW)
    assert {group["weight_decay"] for group in trainer.optimizer.param_groups} == {0.0}
    rates = []
    for _ in range(132):
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates[:8] == pytest.approx([1e-5 * step / 7 for step in range(8)])
    assert rates[7:] == pytest.approx([1e-5 * (1 + cos(pi * step / 125)) / 2 for step in range(125)])


@pytest.mark.parametrize(("name", "blocks"), BLOCKS.items())
def test_every_model_of_the_hub_is_pinned_and_measured_as_deep_as_the_published_one(compose, name, blocks):
    model = compose(f"model={name}").model
    assert re.fullmatch("[0-9a-f]{40}", model.revision)
    assert model.layers == tuple(blocks * sevenths // 7 for sevenths in (3, 4, 5, 6))
    assert (model.headline.layer, model.headline.centred) == (blocks * 5 // 7, False)
