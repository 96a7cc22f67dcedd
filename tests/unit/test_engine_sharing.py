"""What the fast engine shares, moves and makes smaller changes no result."""

import logging
import random

import numpy as np
import pytest
import torch

from leakage.engine import Answered, Request, Sampling, reading
from leakage.engine.cache import handed_on, keep, keeps_all, with_room
from leakage.engine.fast import FastEngine
from leakage.engine.prefixes import LEAST, groups, waves
from leakage.engine.reference import ReferenceEngine
from leakage.errors import ModelError
from leakage.models.adapter import attach, fresh
from leakage.progress import latest, progress
from tests.families.loaded import load, prompts
from tests.families.table import named
from tests.unit.helpers import lora_settings

SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=24)


def quiet(_):
    return None


@pytest.fixture(scope="module")
def asked(families):
    """A model in float64, and five questions under each of four system prompts."""
    torch.set_num_threads(1)
    loaded = load(named("llama3.1"), families)
    base = loaded.template.prompts(prompts()[:4])
    tails = [ids[-9 - i :] for i, ids in enumerate(loaded.template.prompts(prompts()[2:7]))]
    return loaded, [ids[:-9] + tail for ids in base for tail in tails]


def engine(loaded, model, size=64, **changes):
    stop = loaded.template.stops | frozenset(range(300, len(loaded.template.tokenizer), 9))
    return FastEngine(model, loaded.template.tokenizer, size, stop, **changes)


def requests(tokens, samples=3):
    return [Request(ids, tuple(f"{i}/{n}" for n in range(samples))) for i, ids in enumerate(tokens)]


def test_a_beginning_that_is_read_once_gives_the_reference_engines_results(asked):
    loaded, tokens = asked
    model = loaded.model()
    made = groups(tokens, [1] * len(tokens))
    assert sorted(len(one.members) for one in made) == [5, 5, 5, 5]
    assert all(one.shared >= LEAST for one in made)
    reference = ReferenceEngine(model, loaded.template.tokenizer, engine(loaded, model).stop)
    choices = [[5, 9, 300]] * len(tokens)
    wanted = reference.choice_logprobs(tokens, choices, progress=quiet)
    states = reference.hidden_states(tokens, [0, 1], progress=quiet)
    completions = reference.generate(requests(tokens), SAMPLED, progress=quiet)
    for size in (1, 3, 7, 64):
        ours = engine(loaded, model, size)
        np.testing.assert_allclose(ours.choice_logprobs(tokens, choices, progress=quiet), wanted, atol=1e-6)
        np.testing.assert_allclose(ours.hidden_states(tokens, [0, 1], progress=quiet), states, atol=1e-5)
        assert ours.generate(requests(tokens), SAMPLED, progress=quiet) == completions, f"in batches of {size}"


def test_answers_to_one_prompt_are_followed_after_it_was_read_once(asked, monkeypatch):
    loaded, tokens = asked
    model, answers = loaded.model(), ([7, 8, 9, 30, 31], [7, 8, 9, 40], [7])
    answered = [Answered([*ids, *answer], len(ids)) for ids in tokens[::5] for answer in answers]
    plain, texts, looks = reading.read, [], []

    def counted(model, some, *rest, **more):
        texts.extend(some)
        return plain(model, some, *rest, **more)

    monkeypatch.setattr(reading, "read", counted)
    for shares in (False, True):
        seen = {}
        texts.clear()
        engine(loaded, model, 7, shares=shares).follow(answered, [0, 1], seen.__setitem__, progress=quiet)
        looks.append((seen, sum(map(len, texts))))
    (apart, all_tokens), (together, fewer) = looks
    assert fewer < all_tokens / 2
    for i, one in enumerate(answered):
        assert together[i].logprobs.shape == (one.tokens, len(loaded.template.tokenizer))
        torch.testing.assert_close(together[i].logprobs, apart[i].logprobs, atol=1e-6, rtol=0)
        torch.testing.assert_close(together[i].states, apart[i].states, atol=1e-5, rtol=0)


def test_in_float32_logprobs_agree_to_1e_5_whatever_is_shared(asked):
    loaded, tokens = asked
    model, every = loaded.base, [range(300)] * len(asked[1])
    plain = ReferenceEngine(model, loaded.template.tokenizer, frozenset())
    wanted = np.stack(plain.choice_logprobs(tokens, every, progress=quiet))
    for shares in (True, False):
        ours = np.stack(engine(loaded, model, 7, shares=shares).choice_logprobs(tokens, every, progress=quiet))
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-5)


def test_a_beginning_is_read_once(asked):
    loaded, tokens = asked
    model, read = loaded.model(), []
    watched = model.register_forward_pre_hook(
        lambda *inputs: read.append(inputs[-1]["input_ids"].numel()), with_kwargs=True
    )
    counts = []
    for shares in (True, False):
        read.clear()
        engine(loaded, model, shares=shares).choice_logprobs(tokens, [[1, 2]] * len(tokens), progress=quiet)
        counts.append(sum(read))
    watched.remove()
    assert counts[0] < 0.6 * counts[1]


def test_an_adapter_never_sees_what_another_has_read(asked, tmp_path):
    """The same engine, one adapter and then the other: what is kept of the first would answer for the second."""
    loaded, tokens = asked
    for name, seed in (("one", 1), ("two", 2)):
        torch.manual_seed(seed)
        adapted = fresh(loaded.base, lora_settings())
        for weight in (weight for part, weight in adapted.named_parameters() if "lora_B" in part):
            torch.nn.init.normal_(weight, std=0.3)
        adapted.save_pretrained(tmp_path / name)
        adapted.unload()
    model = attach(loaded.model(), tmp_path / "one")
    model.load_adapter(str(tmp_path / "two"), "two")
    model, choices = model.double(), [[5, 9, 300]] * len(tokens)
    answers = {}
    shared = engine(loaded, model)
    for name in ("default", "two", "default"):
        model.set_adapter(name)
        one = np.stack(shared.choice_logprobs(tokens, choices, progress=quiet))
        plain = ReferenceEngine(model, loaded.template.tokenizer, frozenset())
        np.testing.assert_allclose(one, plain.choice_logprobs(tokens, choices, progress=quiet), atol=1e-6)
        answers[name] = one
    assert np.abs(answers["default"] - answers["two"]).max() > 0.1
    with model.disable_adapter():
        base = np.stack(shared.choice_logprobs(tokens, choices, progress=quiet))
    assert min(np.abs(base - one).max() for one in answers.values()) > 0.1


@pytest.mark.parametrize("holds", [1, 2, 5])
def test_out_of_memory_ends_in_smaller_batches_and_the_same_results(asked, holds, caplog):
    loaded, tokens = asked
    model = loaded.model()
    expected = engine(loaded, model).generate(requests(tokens), SAMPLED, progress=quiet)
    chosen = engine(loaded, model).choice_logprobs(tokens, [[1, 2]] * len(tokens), progress=quiet)

    def full(_, __, inputs):
        if len(inputs["input_ids"]) > holds:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    limit, counted = model.register_forward_pre_hook(full, with_kwargs=True), []
    with caplog.at_level(logging.WARNING):
        ours = engine(loaded, model).generate(requests(tokens), SAMPLED, progress=counted.append)
    assert ours == expected
    assert sum(counted) == 3 * len(tokens)
    assert "going on in batches of" in caplog.text
    logprobs = engine(loaded, model).choice_logprobs(tokens, [[1, 2]] * len(tokens), progress=quiet)
    limit.remove()
    np.testing.assert_allclose(logprobs, chosen, atol=1e-6)


def test_a_model_that_memory_does_not_hold_is_an_error_and_others_faults_stay_what_they_are(asked):
    loaded, tokens = asked
    model = loaded.model()

    def fails(text):
        def hook(*_):
            raise RuntimeError(text)

        return model.register_forward_pre_hook(hook)

    full = fails("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
    with pytest.raises(
        ModelError, match=r"does not hold the model with a single sequence .*; lower eval.max_new_tokens"
    ):
        engine(loaded, model).generate(requests(tokens), SAMPLED, progress=quiet)
    full.remove()
    other = fails("shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        engine(loaded, model).choice_logprobs(tokens, [[1, 2]] * len(tokens), progress=quiet)
    other.remove()


def test_a_cache_with_room_holds_what_the_usual_one_does_after_rows_have_left(asked):
    """Rows of it are moved in their places, and tokens written behind the others."""
    loaded, tokens = asked
    model = loaded.model()
    ids = torch.tensor([one[-12:] for one in tokens[:6]])
    chance = random.Random(0)
    with torch.inference_mode():
        usual = model(input_ids=ids, use_cache=True).past_key_values
        roomy = with_room(handed_on(usual, torch.arange(6)))
        for step in range(5):
            new = torch.full((len(usual.layers[0].keys), 1), 40 + step)
            theirs = model(input_ids=new, past_key_values=usual, use_cache=True).logits
            ours = model(input_ids=new, past_key_values=roomy, use_cache=True).logits
            assert torch.equal(ours, theirs)
            going = sorted(chance.sample(range(len(new)), len(new) - 1))
            usual.reorder_cache(torch.tensor(keep(roomy, going)))
            assert torch.equal(roomy.layers[1].values, usual.layers[1].values)
        assert len(roomy.layers[0].keys) == 1


def test_where_answers_have_ended_others_enter_and_none_is_changed(asked):
    """Answers of one to twenty-four tokens: batches are fuller, so that the model is asked less often."""
    loaded, tokens = asked
    model, forwards = loaded.model(), []
    reference = ReferenceEngine(model, loaded.template.tokenizer, engine(loaded, model).stop)
    expected = reference.generate(requests(tokens), SAMPLED, progress=quiet)
    lengths = [one.tokens for some in expected for one in some]
    assert min(lengths) == 1
    assert max(lengths) == SAMPLED.max_new_tokens
    watched = model.register_forward_pre_hook(lambda *_: forwards.append(1))
    asked_for = {}
    for size in (1, 3, 8, 64):
        for refills in (False, True):
            counted = []
            forwards.clear()
            ours = engine(loaded, model, size, refills=refills)
            assert ours.generate(requests(tokens), SAMPLED, progress=counted.append) == expected, (size, refills)
            assert sum(counted) == len(lengths)
            asked_for[size, refills] = len(forwards)
    watched.remove()
    assert asked_for[8, True] < 0.75 * asked_for[8, False]
    assert asked_for[1, True] == asked_for[1, False]


def test_what_no_row_has_read_is_not_read_by_a_row_that_enters(asked, monkeypatch):
    """A weight of 0 times what is no number is none: what lies in memory where a row has nothing must be numbers."""
    loaded, tokens = asked
    empty = torch.Tensor.new_empty
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda *some, **more: empty(*some, **more).fill_(float("nan")))
    filled = {}
    for refills in (False, True):
        filled[refills] = engine(loaded, loaded.model(), 4, refills=refills).generate(
            requests(tokens), SAMPLED, progress=quiet
        )
    assert filled[True] == filled[False]


def test_columns_that_no_row_fills_any_more_are_dropped(asked):
    """Else a queue of a thousand answers would be one row of a thousand answers' width."""
    loaded, tokens = asked
    model, widths = loaded.model(), []
    watched = model.register_forward_pre_hook(
        lambda *inputs: widths.append(inputs[-1]["attention_mask"].shape[1]), with_kwargs=True
    )
    engine(loaded, model, 4, refills=True).generate(requests(tokens, 8), SAMPLED, progress=quiet)
    watched.remove()
    assert max(widths) <= max(map(len, tokens)) + 2 * SAMPLED.max_new_tokens


@pytest.mark.parametrize("holds", [1, 2, 5])
def test_memory_that_runs_out_as_rows_enter_loses_no_answer_and_writes_none_twice(asked, holds):
    loaded, tokens = asked
    model, counted, forwards = loaded.model(), [], []
    expected = engine(loaded, model).generate(requests(tokens), SAMPLED, progress=quiet)

    def full(_, __, inputs):
        forwards.append(1)
        if len(inputs["input_ids"]) > holds and len(forwards) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    limit = model.register_forward_pre_hook(full, with_kwargs=True)
    ours = engine(loaded, model, 8, refills=True).generate(requests(tokens), SAMPLED, progress=counted.append)
    limit.remove()
    assert ours == expected
    assert sum(counted) == 3 * len(tokens)


def test_models_with_windows_or_running_states_share_nothing(families):
    for name, shares in (
        ("llama3.1", True),
        ("qwen2", True),
        ("mistral3", False),
        ("lfm2", False),
        ("qwen3-next", False),
    ):
        assert keeps_all(load(named(name), families).base) == shares, name


def test_groups_are_of_prompts_that_save_more_together_than_apart():
    one, two = list(range(20)), list(range(5)) + list(range(50, 65))
    texts = [[*one, 91, 92], [*two, 93], [*one, 94], [*two, 95, 96], [*one, 97]]
    made = groups(texts, [1] * 5)
    assert {one.members: one.shared for one in made} == {(0, 2, 4): 20, (1, 3): 20}
    assert [len(wave) for wave in waves(made, 1)] == [1, 1]
    assert [one.shared for one in groups([[1, 2, 3], [4, 5, 6]], [1, 1])] == [0, 0]
    (both,) = groups([one, one], [1, 1])
    assert both.shared == 19, "the last token of a prompt is read for itself"
    (both,) = groups([one, one], [4, 9])
    assert both.shared == 11, "and so is all that is looked at"


def test_tokens_a_second_stand_behind_what_is_done(asked, caplog, monkeypatch):
    loaded, tokens = asked
    monkeypatch.setattr("leakage.progress.EVERY", 0.0)
    with caplog.at_level(logging.INFO), progress(len(tokens) + 1, "asking", "answer") as advance:
        engine(loaded, loaded.model(), 4).generate(requests(tokens, 1), SAMPLED, progress=advance)
        assert latest().tokens > len(tokens)
    assert "tokens/s)" in caplog.text
