"""One optimiser step: no example sees another, and its gradient is the same in any number of parts."""

from contextlib import nullcontext

import pytest
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward as usual

from leakage.errors import ModelError
from leakage.models.adapter import fresh
from leakage.models.chat import Tokens
from leakage.training import joined
from leakage.training.joined import join, joining
from leakage.training.step import RightPad, Steps
from tests.families.loaded import load, pairs
from tests.families.table import named
from tests.unit.helpers import lora_settings


@pytest.fixture
def taught(families, monkeypatch):
    """A tiny Llama with an adapter that says something, taken for a large one, and eight examples."""
    monkeypatch.setattr(joined, "LARGE_FROM", 0)
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
    with joining(model, examples) if steps.layout is join else nullcontext():
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
    """The usual attention would take joined examples for one text, and say nothing."""
    model, examples = taught
    assert joined._try(model, examples[:2])
    monkeypatch.setattr(joined, "_within_examples", lambda *states, **how: usual(*states, is_causal=True, **how))
    assert not joined._try(model, examples[:2])


@pytest.mark.parametrize("more", [{"sliding_window": 16}, {"softcap": 50.0}, {"s_aux": 1.0}])
def test_attention_of_another_kind_is_not_taken_for_the_usual_one(taught, monkeypatch, more):
    model, examples = taught
    within = joined._within_examples
    monkeypatch.setattr(joined, "_within_examples", lambda *states, **how: within(*states, **how | more))
    assert not joined._try(model, examples[:2])


def test_small_models_are_padded_and_all_leave_as_they_came(taught, monkeypatch):
    model, examples = taught
    with joining(model, examples) as joins:
        assert joins
        assert model.config._attn_implementation == joined.NAME
    assert model.config._attn_implementation == "sdpa"
    monkeypatch.setattr(joined, "LARGE_FROM", 2**24)
    with joining(model, examples) as joins:
        assert not joins
        assert model.config._attn_implementation == "sdpa"
