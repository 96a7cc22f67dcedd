"""Every family of chat models: the loss is the model's own, the adapter reaches its blocks, and is what was trained."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from leakage.engine.fast import FastEngine
from leakage.models.adapter import attach, fresh, reach
from leakage.models.chat import IGNORED
from leakage.models.load import for_inference
from leakage.training import joined
from leakage.training.checkpoints import Checkpoints
from leakage.training.joined import join, joining
from leakage.training.sft import train_adapter
from leakage.training.step import RightPad, completion_loss
from tests.families.loaded import load, pairs, prompts
from tests.families.table import EVERY
from tests.unit.helpers import train_settings

PADDED = {
    "mistral1", "mistral3", "gemma3", "gemma3-vision",  # their windows are shorter here than the examples
    "lfm2", "falcon-h1", "qwen3-next",  # a state runs on from one example into the next
    "gemma2", "gpt-oss", "bloom", "falcon",  # attention of their own
}  # fmt: skip
MERGED = {"float64": 1e-6, "float32": 2e-3}  # some norms are float32 in every dtype; float32 merged loses the rest


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module", params=EVERY)
def taught(request, families):
    return load(request.param, families)


def adapted(taught):
    """A copy of the model with an adapter whose weights are not nothing."""
    torch.manual_seed(0)
    model = fresh(taught.model(), taught.family.adapter()).to(getattr(torch, taught.family.dtype)).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return model


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    grads = [weight.grad for weight in model.parameters() if weight.requires_grad]
    return torch.cat([grad.flatten() for grad in grads if grad is not None])


def test_the_loss_and_its_gradient_are_those_of_the_models_own_logits(taught):
    """Gemma-2 caps its logits and Granite scales them behind the head: a loss from the head alone is another one."""
    model = adapted(taught)
    batch = RightPad(taught.base.config.get_text_config().pad_token_id or 0)(taught.template.examples(pairs()[:2]))
    ours = completion_loss(model, batch)
    our_gradient = gradient(model, ours)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    targets = batch["labels"][:, 1:]
    learnt = targets != IGNORED
    theirs = F.cross_entropy(logits[:, :-1][learnt], targets[learnt])
    their_gradient = gradient(model, theirs)
    assert our_gradient.norm() > 0
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert (our_gradient - their_gradient).norm() / their_gradient.norm() < 1e-5


def test_examples_joined_without_padding_have_the_same_gradient(taught, monkeypatch):
    """An architecture that cannot be given them in one row says so, and is none of those that most users have."""
    monkeypatch.setattr(joined, "LARGE_FROM", 0)
    model, examples = adapted(taught), taught.template.examples(pairs()[:4])
    padded = gradient(model, completion_loss(model, RightPad(0)(examples)))
    with joining(model, examples) as joins:
        assert joins is (taught.family.name not in PADDED)
        if joins:
            together = gradient(model, completion_loss(model, join(examples)))
            assert (together - padded).norm() / padded.norm() < 1e-5


def test_the_adapter_reaches_the_weights_of_the_blocks(taught):
    model = fresh(copy.deepcopy(taught.base), taught.family.adapter())
    assert reach(model) >= taught.family.reach


def answer(model, taught):
    """Log-probabilities of the whole vocabulary after some prompts."""
    tokens = taught.template.prompts(prompts()[:3])
    every = range(len(taught.template.tokenizer))
    engine = FastEngine(model, taught.template.tokenizer, 4, taught.template.stops)
    return np.stack(engine.choice_logprobs(tokens, [every] * len(tokens), progress=lambda _: None))


def test_an_adapter_is_trained_saved_and_put_back_and_the_base_is_left_as_it_was(taught, tmp_path):
    before = {name: weight.clone() for name, weight in taught.base.state_dict().items()}
    trained = train_adapter(
        taught.base, taught.template.examples(pairs()[:4]), tmp_path / "adapter", lora=taught.family.adapter(),
        train=train_settings(epochs=2, max_steps=4, batch_size=2, learning_rate=1e-2), seed=1, label="test",
        checkpoints=Checkpoints(tmp_path / "checkpoints", {}, every_s=float("inf")),
    )  # fmt: skip
    assert trained.steps == 4
    after = taught.base.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    dtype = getattr(torch, taught.family.dtype)
    base = answer(taught.model(), taught)
    unmerged = answer(attach(taught.model(), tmp_path / "adapter").to(dtype), taught)
    merged = answer(in_whole(attach(copy.deepcopy(taught.base), tmp_path / "adapter"), taught), taught)
    assert np.abs(unmerged - base).max() > 0.05
    np.testing.assert_allclose(merged, unmerged, atol=MERGED[taught.family.dtype], rtol=0)


def in_whole(model, taught):
    """The adapter merged: by the project in float64, by peft in what else the architecture takes."""
    return for_inference(model, taught.settings) if taught.family.dtype == "float64" else model.merge_and_unload()
