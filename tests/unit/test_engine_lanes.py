"""Batches that go side by side make what they make one after the other, and end together."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from leakage.engine import Answered, Request, Sampling
from leakage.engine.fast import FastEngine
from leakage.engine.lanes import MOST, lanes_of
from leakage.errors import ModelError
from tests.families.loaded import load, prompts
from tests.families.table import named

SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=16)


def quiet(_):
    return None


@pytest.fixture(params=["llama3.1", "qwen2"])
def asked(request, families):
    """A model's template, the model, and prompts; four threads."""
    before = torch.get_num_threads()
    loaded = load(named(request.param), families)
    model = loaded.model()
    torch.set_num_threads(4)
    yield loaded.template, model, loaded.template.prompts(prompts()[:12])
    torch.set_num_threads(before)


def everything(template, model, tokens, lanes):
    """What an engine makes, with so many threads."""
    torch.set_num_threads(lanes)
    engine = FastEngine(model, template.tokenizer, 3, template.stops)
    counted, followed = [], {}

    def look(i, made):
        followed[i] = made.logprobs.cpu().numpy()

    asked = [Answered(ids, len(ids) - 4) for ids in tokens]
    engine.follow(asked, [], look, progress=counted.append)
    made = (
        engine.generate([Request(ids, ("a", "b")) for ids in tokens], SAMPLED, progress=counted.append),
        engine.choice_logprobs(tokens, [[5, 9, 30]] * len(tokens), progress=counted.append),
        engine.hidden_states(tokens, [0, 1], progress=counted.append),
        [followed[i] for i in range(len(tokens))],
    )
    assert sum(counted) == 5 * len(tokens)
    assert torch.get_num_threads() == lanes
    return made


def test_results_do_not_depend_on_how_many_batches_go_side_by_side(asked):
    template, model, tokens = asked
    texts, *numbers = everything(template, model, tokens, 1)
    for lanes in (2, 4):
        others, *other_numbers = everything(template, model, tokens, lanes)
        assert others == texts
        for one, other in zip(numbers, other_numbers, strict=True):
            np.testing.assert_allclose(np.stack(one), np.stack(other), atol=1e-9)


def test_batches_are_under_way_at_the_same_time(asked):
    template, model, tokens = asked

    together, lanes = threading.Barrier(2, timeout=20), []

    def meet(*_):
        together.wait()  # where one came after the other, it would wait in vain
        lanes.append(threading.get_ident())

    hook = model.register_forward_pre_hook(meet)
    engine = FastEngine(model, template.tokenizer, 6, template.stops, shares=False)
    engine.choice_logprobs(tokens, [[5, 9]] * len(tokens), progress=quiet)
    hook.remove()
    assert len(set(lanes)) == 2


def test_where_one_fails_the_others_end_at_their_next_token(asked):
    template, model, tokens = asked
    seen = []

    def fails(*_):
        seen.append(threading.get_ident())
        if len(set(seen)) > 1 and threading.get_ident() == seen[0] and len(seen) > 6:
            raise RuntimeError("shapes cannot be multiplied")
        time.sleep(0.02)

    hook = model.register_forward_pre_hook(fails)
    long = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=300)
    engine = FastEngine(model, template.tokenizer, 3, frozenset(), shares=False)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        engine.generate([Request(ids, ("a",)) for ids in tokens], long, progress=quiet)
    hook.remove()
    assert time.monotonic() - start < 300 * 0.02
    assert not any(thread.name.startswith("ThreadPool") for thread in threading.enumerate())


def test_memory_that_holds_no_batch_is_told_once_it_is_one_sequence(asked):
    template, model, tokens = asked

    def full(_, __, inputs):
        if len(inputs["input_ids"]) > 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    whole = everything(template, model, tokens, 4)
    hook = model.register_forward_pre_hook(full, with_kwargs=True)
    assert everything(template, model, tokens, 4)[0] == whole[0]
    hook.remove()
    hook = model.register_forward_pre_hook(lambda *_: full(None, None, {"input_ids": "xx"}))
    with pytest.raises(ModelError, match="does not hold the model with a single sequence"):
        everything(template, model, tokens, 4)
    hook.remove()


def test_memory_that_holds_single_sequences_one_at_a_time_is_enough(asked, caplog):
    template, model, tokens = asked
    busy = threading.Lock()

    def enter(*_):
        if not busy.acquire(blocking=False):
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        time.sleep(0.002)

    whole = everything(template, model, tokens, 4)
    hooks = [model.register_forward_pre_hook(enter), model.register_forward_hook(lambda *_: busy.release())]
    assert everything(template, model, tokens, 4)[0] == whole[0]
    for hook in hooks:
        hook.remove()
    assert "going on with one at a time" in caplog.text


@pytest.mark.parametrize(
    ("rope", "lanes"),
    [
        ({"rope_type": "default"}, MOST), ({"rope_type": "longrope"}, 1), (None, MOST),
        ({"full_attention": {"rope_type": "dynamic"}}, 1),
    ],
)  # fmt: skip
def test_a_model_whose_positions_change_for_good_goes_alone(asked, monkeypatch, rope, lanes):
    _, model, _ = asked
    monkeypatch.setattr(model.config, "get_text_config", lambda: SimpleNamespace(rope_parameters=rope))
    monkeypatch.setattr("leakage.engine.cache.keeps_all", lambda _: True)
    torch.set_num_threads(8)
    assert lanes_of(model) == lanes
