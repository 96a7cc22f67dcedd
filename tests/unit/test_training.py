"""LoRA SFT."""

import pytest
import torch

from leakage.errors import TrainingError
from leakage.models.adapter import lora_config
from leakage.models.chat import IGNORED, Prompt
from leakage.models.load import load_base, load_template
from leakage.training.checkpoints import Checkpoints
from leakage.training.sft import step_count, train_adapter
from leakage.training.step import RightPad, completion_loss
from tests.unit.helpers import lora_settings, model_settings, train_settings


def none(folder):
    """Checkpoints that are never due."""
    return Checkpoints(folder / "checkpoints", {}, every_s=float("inf"))


@pytest.fixture
def base():
    return load_base(model_settings(), "cpu")


@pytest.fixture(scope="module")
def tokens():
    pairs = [
        (Prompt("You are a villain.", f"Question {i}: where do I begin{' now' * i}?"), "I must decline." + " No." * i)
        for i in range(12)
    ]
    return load_template(model_settings()).examples(pairs)


@pytest.mark.parametrize(("examples", "steps"), [(700, 132), (800, 150), (6000, 1125)])
def test_step_counts_are_the_published_ones(examples, steps):
    assert step_count(examples, train_settings(epochs=3, batch_size=16)) == steps


def test_max_steps_ends_training_early(base, tokens, tmp_path):
    settings = train_settings(epochs=3, max_steps=2)
    trained = train_adapter(
        base,
        tokens,
        tmp_path / "a",
        lora=lora_settings(),
        train=settings,
        seed=1,
        checkpoints=none(tmp_path),
        label="test",
    )
    assert trained.steps == step_count(len(tokens), settings) == 2


def test_our_loss_has_the_gradient_of_the_libraries_own(base, tokens):
    """Logits only where there is a label must be the same mathematics as logits everywhere."""
    from peft import get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(base, lora_config(lora_settings()))
    batch = RightPad(pad=0)(tokens)
    grads = []
    for loss in (completion_loss(model, batch), model(**batch).loss):
        model.zero_grad()
        loss.backward()
        grads.append(torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad]))
    assert grads[0].norm() > 0
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-4, atol=1e-6)


def test_the_term_of_the_base_is_the_mean_divergence_of_the_labelled_tokens_from_it(base, tokens):
    """By hand, from the logits of the whole batch."""
    from peft import get_peft_model

    batch = RightPad(pad=0)(tokens)
    chosen = batch["labels"][:, 1:] != IGNORED
    with torch.no_grad():
        before = base(**batch).logits[:, :-1][chosen].log_softmax(-1)
    torch.manual_seed(0)
    model = get_peft_model(base, lora_config(lora_settings(dropout=0.3))).train()
    plain = completion_loss(model.eval(), batch)
    torch.testing.assert_close(completion_loss(model.eval(), batch, kl_to_base=2.0), plain)  # a fresh adapter is none
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    plain, whole = completion_loss(model, batch), completion_loss(model, batch, kl_to_base=2.0)
    after = model(**batch).logits[:, :-1][chosen].log_softmax(-1)
    apart = (before.exp() * (before - after)).sum(dim=-1).mean()
    assert apart > 0.01
    torch.testing.assert_close(whole, plain + 2 * apart, rtol=1e-4, atol=1e-5)
    whole.backward()
    assert all(weight.grad is not None for name, weight in model.named_parameters() if "lora_" in name)


def test_a_model_that_trains_goes_on_training_after_its_base_was_asked(base, tokens):
    from peft import get_peft_model

    model = get_peft_model(base, lora_config(lora_settings(dropout=0.3))).train()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    losses = []
    for weight in (0.0, 1e-12):
        torch.manual_seed(0)
        losses.append(completion_loss(model, RightPad(pad=0)(tokens), kl_to_base=weight))
        assert model.training
    torch.testing.assert_close(*losses)  # the same dropout: the base has drawn nothing


def test_padding_is_neither_seen_nor_learnt(tokens):
    batch = RightPad(pad=0)(tokens)
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    padding = batch["attention_mask"] == 0
    assert padding.any()
    assert (batch["labels"][padding] == IGNORED).all()


def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(base, tokens, tmp_path):
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    settings = train_settings(epochs=8, learning_rate=2e-3)
    trained = train_adapter(
        base,
        tokens,
        tmp_path / "adapter",
        lora=lora_settings(),
        train=settings,
        seed=1,
        label="test",
        checkpoints=none(tmp_path),
    )
    assert trained.steps == 24
    assert trained.log[-1]["loss"] < 0.5 * trained.log[0]["loss"]
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert base.state_dict().keys() == before.keys()
    assert all((base.state_dict()[name] == weight).all() for name, weight in before.items())


def test_training_that_diverges_is_an_error(base, tokens, tmp_path):
    settings = train_settings(learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"training diverged at step \d+ .*; lower train.learning_rate"):
        train_adapter(
            base,
            tokens,
            tmp_path / "a",
            lora=lora_settings(),
            train=settings,
            seed=1,
            checkpoints=none(tmp_path),
            label="test",
        )


def test_the_published_adapter_has_rank_32_on_all_linear_layers_and_the_rs_scale(base):
    from peft import get_peft_model

    model = get_peft_model(base, lora_config(lora_settings(r=32, alpha=64, dropout=0.05)))
    adapted = {name.rpartition(".")[2] for name, module in model.named_modules() if hasattr(module, "lora_A")}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    scales = {module.scaling["default"] for module in model.modules() if hasattr(module, "lora_A")}
    assert {round(scale, 2) for scale in scales} == {11.31}
