"""One optimiser step: no example sees another, and its gradient is the same in any number of parts."""

import pytest
import torch

from leakage.errors import ModelError
from leakage.models.adapter import fresh
from leakage.models.chat import Tokens
from leakage.models.load import load_base
from leakage.training import step
from leakage.training.step import RightPad, Steps, join, keeps_apart, layout_for
from tests.families.loaded import load, pairs
from tests.families.table import named
from tests.unit.helpers import lora_settings, model_settings


@pytest.fixture
def taught(families):
    """A tiny Llama with an adapter that says something, and eight examples."""
    loaded = load(named("llama3.1"), families)
    torch.manual_seed(0)
    model = fresh(loaded.base, lora_settings())
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    yield model.eval(), loaded.template.examples(pairs())
    model.unload()


def backward(loss):
    loss.backward()


def gradient(model, steps, examples, backward=backward):
    model.zero_grad()
    loss = steps.gradient(model, examples, backward)
    grads = [weight.grad.flatten() for weight in model.parameters() if weight.requires_grad]
    return loss.item(), torch.cat(grads)


def is_same(one, other):
    return one[0] == pytest.approx(other[0], rel=1e-5) and (one[1] - other[1]).norm() / other[1].norm() < 1e-5


@pytest.mark.parametrize("layout", [RightPad(0), join])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_parts_add_up_to_the_gradient_of_the_whole(taught, layout, size):
    model, examples = taught
    assert is_same(gradient(model, Steps(layout, size), examples), gradient(model, Steps(RightPad(0), 16), examples))


def test_the_first_token_of_an_example_is_not_learnt_from_the_one_before(taught):
    model, examples = taught
    whole = [Tokens(one.input_ids, one.input_ids) for one in examples]
    assert is_same(gradient(model, Steps(join, 16), whole), gradient(model, Steps(RightPad(0), 16), whole))


def test_joined_examples_are_not_more_tokens_than_attention_is_cheap_for(taught, monkeypatch):
    model, examples = taught
    lengths = [len(one.input_ids) for one in examples]
    read = []
    monkeypatch.setattr(step, "TOGETHER", max(lengths) + min(lengths))
    watched = model.get_base_model().register_forward_pre_hook(
        lambda _, __, named: read.append(named["input_ids"].numel()), with_kwargs=True
    )
    parts = gradient(model, Steps(join, 16), examples)
    watched.remove()
    assert len(read) > 1
    assert sum(read) == sum(lengths)
    assert max(read) <= step.TOGETHER
    assert is_same(parts, gradient(model, Steps(RightPad(0), 16), examples))


@pytest.mark.parametrize("layout", [RightPad(0), join])
def test_out_of_memory_in_the_midst_of_a_step_ends_in_smaller_parts_and_the_same_gradient(taught, layout, caplog):
    model, examples = taught
    calls = []

    def full_at_the_second(loss):
        loss.backward()  # what it has added must not stay
        calls.append(loss)
        if len(calls) == 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    steps = Steps(layout, 4)
    assert is_same(
        gradient(model, steps, examples, full_at_the_second), gradient(model, Steps(RightPad(0), 16), examples)
    )
    assert steps.size == 2
    assert "out of memory in batches of 4; going on in batches of 2" in caplog.text


def test_a_single_example_too_large_is_computed_twice_and_then_an_error(taught, caplog):
    model, examples = taught
    model.train()  # as in a training; the adapter has no dropout
    wanted = gradient(model, Steps(RightPad(0), 16), examples)
    full = [True, False]

    def full_once(loss):
        if full.pop(0) if full else False:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes")
        loss.backward()

    recomputing = gradient(model, Steps(RightPad(0), 1), examples, full_once)
    assert "computed twice" in caplog.text
    assert model.get_base_model().is_gradient_checkpointing
    assert is_same(recomputing, wanted)

    def always_full(_):
        raise MemoryError

    with pytest.raises(
        ModelError, match=r"does not hold the model with a single sequence \(.*\); lower train.max_length"
    ):
        Steps(RightPad(0), 4).gradient(model, examples, always_full)


def test_a_model_that_lets_examples_see_each_other_is_padded(taught, monkeypatch):
    """With a mask of ones transformers takes joined examples for one text, and says nothing."""
    model, examples = taught
    monkeypatch.setattr(step, "JOINS_FROM", 0)
    assert keeps_apart(model, examples)
    assert layout_for(model, examples) is join
    joined = step.join

    def masked(examples):
        batch = joined(examples)
        return batch | {"attention_mask": torch.ones_like(batch["input_ids"])}

    monkeypatch.setattr(step, "join", masked)
    assert not keeps_apart(model, examples)
    assert isinstance(layout_for(model, examples), RightPad)
    assert not is_same(gradient(model, Steps(masked, 16), examples), gradient(model, Steps(RightPad(0), 16), examples))


def test_the_embedded_model_is_padded(taught):
    model = fresh(load_base(model_settings(), "cpu"), lora_settings())
    assert isinstance(layout_for(model, taught[1]), RightPad)
