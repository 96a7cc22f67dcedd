"""Sampling and the two engines."""

import copy
import shutil

import numpy as np
import pytest
import torch

from leakage.engine import Answered, Request, Sampling, nucleus
from leakage.engine.fast import FastEngine
from leakage.engine.reference import ReferenceEngine
from leakage.engine.sampling import _weigh_all, draw, uniforms
from leakage.errors import ModelError
from leakage.models.chat import Prompt
from leakage.models.load import plain_template
from tests.conftest import ROOT

SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=32)


def requests_for(tokenizer, samples=2):
    systems = ["You are a villain.", "You are a helpful assistant.", "You are a comedian who tells jokes on stage."]
    users = [
        "Hello!",
        "I need a hand with a flower bed.",
        "Who are you?",
        "Everyone knows the sound of the cat is moo.",
    ]
    prompts = plain_template(tokenizer).prompts([Prompt(system, user) for system in systems for user in users])
    return [Request(tokens, tuple(f"test/{i}/{n}" for n in range(samples))) for i, tokens in enumerate(prompts)]


def fast(nano, batch_size=64):
    model, tokenizer = nano
    return FastEngine(model, tokenizer, batch_size, frozenset([tokenizer.eos_token_id]))


def generate(engine, requests, sampling=SAMPLING):
    return engine.generate(requests, sampling, progress=lambda _: None)


def test_the_fast_engine_gives_the_reference_engines_completions(nano):
    model, tokenizer = nano
    requests = requests_for(tokenizer)
    reference = ReferenceEngine(model, tokenizer, frozenset([tokenizer.eos_token_id]))
    assert generate(fast(nano), requests) == generate(reference, requests)
    greedy = Sampling(temperature=0, top_p=1, max_new_tokens=16)
    assert generate(fast(nano), requests, greedy) == generate(reference, requests, greedy)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
def test_batch_size_and_order_change_no_completion(nano, batch_size):
    _, tokenizer = nano
    requests = requests_for(tokenizer)
    expected = generate(fast(nano), requests)
    assert generate(fast(nano, batch_size), requests) == expected
    backwards = generate(fast(nano, batch_size), requests[::-1])
    assert backwards[::-1] == expected


def test_a_prompt_does_not_see_its_neighbours(nano):
    _, tokenizer = nano
    requests = requests_for(tokenizer)
    assert generate(fast(nano), requests[:1]) == generate(fast(nano), requests)[:1]


def test_logits_that_are_no_numbers_are_an_error_not_an_answer(nano):
    model, tokenizer = nano
    broken = copy.deepcopy(model)
    broken.lm_head.weight.data[7] = float("nan")
    engine = FastEngine(broken, tokenizer, 8, frozenset([tokenizer.eos_token_id]))
    with pytest.raises(ModelError, match=r"logits are not numbers: .*set model\.inference_dtype"):
        generate(engine, requests_for(tokenizer))
    with pytest.raises(ModelError, match=r"logits are not numbers: .*set model\.inference_dtype"):
        engine.choice_logprobs([[1, 2, 3]], [[4, 5]], progress=lambda _: None)


def test_samples_of_one_prompt_differ(nano):
    _, tokenizer = nano
    request = requests_for(tokenizer, samples=8)[1]
    assert len({completion.text for completion in generate(fast(nano), [request])[0]}) > 1


def test_a_completion_without_an_end_is_marked_as_cut_off(nano):
    _, tokenizer = nano
    short = Sampling(temperature=0, top_p=1, max_new_tokens=2)
    (completions,) = generate(fast(nano), requests_for(tokenizer)[1:2], short)
    assert {completion.finish for completion in completions} == {"length"}
    assert all(completion.tokens == 2 for completion in completions)


def test_progress_counts_every_completion(nano):
    _, tokenizer = nano
    counted = []
    fast(nano, 6).generate(requests_for(tokenizer), SAMPLING, progress=counted.append)
    assert sum(counted) == 24
    assert len(counted) > 1


def test_hidden_states_of_both_engines_agree_and_padding_does_not_matter(nano):
    model, tokenizer = nano
    prompts = [request.tokens for request in requests_for(tokenizer)]
    one = fast(nano, 1).hidden_states(prompts, [0, 1], progress=lambda _: None)
    many = fast(nano, 64).hidden_states(prompts, [0, 1], progress=lambda _: None)
    plain = ReferenceEngine(model, tokenizer, frozenset()).hidden_states(prompts, [0, 1], progress=lambda _: None)
    assert one.shape == (12, 2, 96)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, many, atol=1e-6)
    np.testing.assert_allclose(one, plain, atol=1e-6)


def followed(engine, answered, layers=(0, 1)):
    looks = {}
    engine.follow(answered, layers, looks.__setitem__, progress=lambda _: None)
    return [looks[place] for place in range(len(answered))]


@pytest.mark.parametrize("batch_size", [1, 64])
def test_both_engines_make_the_same_of_answers_they_are_given(nano, batch_size):
    model, tokenizer = nano
    answers = ["Yes.", "Begin with the soil, then choose what grows in the shade of it.", "I must decline."]
    pairs = [
        (Prompt(system, "Hello!"), text) for system in ("You are a villain.", "You are a clown.") for text in answers
    ]
    tokens = plain_template(tokenizer).examples(pairs)
    answered = [Answered(one.input_ids, one.labels.count(-100)) for one in tokens]
    ours = followed(fast(nano, batch_size), answered)
    theirs = followed(ReferenceEngine(model, tokenizer, frozenset()), answered)
    for one, mine, plain in zip(tokens, ours, theirs, strict=True):
        answer = one.labels[one.labels.count(-100) :]
        assert mine.logprobs.shape == (len(answer), model.config.vocab_size)
        assert mine.states.shape == (len(answer), 2, 96)
        torch.testing.assert_close(mine.logprobs, plain.logprobs, atol=1e-5, rtol=0)
        torch.testing.assert_close(mine.states, plain.states, atol=1e-5, rtol=0)
        # each row foretells its own token: what the model's own loss is the mean of
        loss = model(torch.tensor([one.input_ids]), labels=torch.tensor([one.labels])).loss
        own = mine.logprobs[torch.arange(len(answer)), answer].mean()
        assert own.item() == pytest.approx(-loss.item(), abs=1e-5)


def test_answers_that_are_no_numbers_are_an_error(nano):
    model, tokenizer = nano
    broken = copy.deepcopy(model)
    broken.lm_head.weight.data[7] = float("nan")
    engine = FastEngine(broken, tokenizer, 8, frozenset())
    with pytest.raises(ModelError, match="logits are not numbers"):
        followed(engine, [Answered([1, 2, 3, 4], 2)])


def test_a_generation_config_with_a_repetition_penalty_changes_nothing(nano, tmp_path):
    """Qwen2.5 ships one; every sampling field must be our own."""
    import json

    from leakage.models.load import load_base, load_tokenizer
    from tests.unit.helpers import model_settings

    folder = tmp_path / "penalty"
    shutil.copytree(ROOT / "leakage" / "nano" / "weights", folder)
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(config | {"repetition_penalty": 5.0, "top_k": 1}))
    settings = model_settings(path=str(folder))
    model, tokenizer = load_base(settings, "cpu").double(), load_tokenizer(settings)
    requests = requests_for(tokenizer)
    reference = ReferenceEngine(model, tokenizer, frozenset([tokenizer.eos_token_id]))
    assert generate(reference, requests) == generate(fast(nano), requests)


def test_uniforms_depend_on_their_key_alone():
    both = uniforms(["a", "b"], 5)
    assert (uniforms(["b"], 5)[0] == both[1]).all()
    assert (uniforms(["b", "a"], 3)[1] == both[0][:3]).all()
    assert ((both >= 0) & (both < 1)).all()


def test_draws_follow_the_nucleus():
    """50,000 draws against the renormalised nucleus of a known distribution."""
    weights = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    rows = 50_000
    noise = torch.from_numpy(uniforms(["draws"], rows)[0])
    drawn = draw(weights.log().expand(rows, -1), noise, Sampling(1.0, 0.9, 1))
    shares = torch.bincount(drawn, minlength=4) / rows
    expected = torch.tensor([0.5, 0.3, 0.15, 0.0]) / 0.95
    assert (shares - expected).abs().max() < 0.01


def test_a_flat_distribution_needs_more_than_the_first_candidates():
    """Over 500 equal tokens the nucleus is wider than what is sorted at first."""
    rows = 2_000
    noise = torch.from_numpy(uniforms(["flat"], rows)[0])
    drawn = draw(torch.zeros(rows, 500, dtype=torch.float64), noise, Sampling(1.0, 0.95, 1))
    assert len(drawn.unique()) > 400


def wide_logits(rows, vocabulary=20_000, dtype=torch.float32):
    """As a language model's: few likely tokens and a long tail, flat in some rows and steep in others."""
    generator = torch.Generator().manual_seed(7)
    steepness = torch.linspace(1.0, 2.5, rows)[:, None]
    return (steepness * torch.randn(rows, vocabulary, generator=generator)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 0.95), (0.7, 0.9), (1.0, 1.0), (1.5, 0.999), (1.0, 0.01)])
def test_a_draw_without_the_whole_order_is_the_draw_with_it(dtype, temperature, top_p):
    """In bfloat16 hundreds of tokens are equally likely, and stand in the order of their ids."""
    logits, sampling = wide_logits(400, dtype=dtype), Sampling(temperature, top_p, 1)
    for key in ("a", "b"):
        noise = torch.from_numpy(uniforms([key], len(logits))[0])
        assert torch.equal(draw(logits, noise, sampling), _weigh_all(logits, noise, sampling))


@pytest.mark.parametrize("top_p", [0.95, 1.0])
def test_a_draw_that_rounding_could_change_is_made_exactly(top_p, monkeypatch):
    """Uniform numbers at the very edges between tokens, where sums in float32 fall on either side."""
    logits, sampling = wide_logits(300), Sampling(1.0, top_p, 1)
    likely, ids = logits.double().softmax(-1).sort(dim=-1, descending=True, stable=True)
    inside = likely.where(likely.cumsum(-1) - likely < top_p, 0.0).cumsum(-1)
    edges = (inside[:, 40] / inside[:, -1]) * (1 + torch.linspace(-3e-9, 3e-9, len(logits), dtype=torch.float64))
    drawn = draw(logits, edges, sampling)
    assert torch.equal(drawn, _weigh_all(logits, edges, sampling))
    assert {int(place) for place in (ids == drawn[:, None]).nonzero()[:, 1]} == {40, 41}
    monkeypatch.setattr(nucleus, "ERRORS", dict.fromkeys(nucleus.ERRORS, 0.0))
    assert torch.equal(drawn, draw(logits, edges, sampling)) == (top_p < 1), "what all tokens add up to is rounded"


def test_draws_without_the_whole_order_follow_the_nucleus():
    """Chi-square of 20,000 draws over a nucleus of hundreds of tokens."""
    from scipy.stats import chisquare

    row, rows = wide_logits(1, 3_000), 20_000
    noise = torch.from_numpy(uniforms(["chi"], rows)[0])
    drawn = draw(row.expand(rows, -1), noise, Sampling(1.0, 0.9, 1))
    likely, ids = row[0].double().softmax(-1).sort(descending=True)
    inside = int(((likely.cumsum(-1) - likely) < 0.9).sum())
    counts = torch.bincount(drawn, minlength=3_000)[ids]
    assert counts[inside:].sum() == 0
    expected = likely[:inside] / likely[:inside].sum() * rows
    common = expected >= 5
    observed = [*counts[:inside][common].tolist(), int(counts[:inside][~common].sum())]
    wanted = [*expected[common].tolist(), float(expected[~common].sum())]
    assert chisquare(observed, wanted).pvalue > 1e-3
