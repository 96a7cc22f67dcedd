"""Noise of few answers: what it does to rho is planted, and must come out of the counts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from leakage.analysis.reliability import Answers, binomial, corrected, split_half, split_prompts
from leakage.analysis.resampling import interval, interval_of_mean
from leakage.analysis.statistics import spearman
from leakage.studies.persona_leakage.analysis.cautions import cautions
from leakage.studies.persona_leakage.analysis.tables import headline
from tests.unit.frames import cell, normal_pair

N = 110


def hits(k, n):
    return Answers(np.full(len(k), float(n)), k / n, np.zeros(len(k)), hits=True)


def planted(rng, *, slope, rho=0.6):
    """Cosines and the chances of a hit before and after."""
    cosine, y = normal_pair(rng, 2 * np.sin(np.pi * rho / 6), N)
    return cosine, rng.uniform(0.05, 0.3, N), norm.cdf(slope * y - 0.3)


@pytest.mark.parametrize("slope", [0.6, 1.2])
def test_rho_corrected_is_that_of_all_answers_where_plain_rho_has_shrunk(slope):
    """8 of 40 answers, drawn without putting back; against rho of the chances themselves."""
    rng, plain, mended = np.random.default_rng(3), [], []
    for _ in range(200):
        cosine, before, after = planted(rng, slope=slope)
        eight = [rng.hypergeometric(k, 40 - k, 8) for k in (rng.binomial(40, before), rng.binomial(40, after))]
        truth, rho = (spearman(cosine, x).rho for x in (after - before, (eight[1] - eight[0]) / 8))
        plain.append(rho - truth)
        mended.append(corrected(rho, split_half(*(hits(k, 8) for k in eight))) - truth)
    assert np.mean(plain) < -0.03
    assert abs(np.mean(mended)) < 0.02


def test_halves_of_answers_and_the_binomial_agree_with_another_set_of_answers():
    rng = np.random.default_rng(4)
    _, before, after = planted(rng, slope=0.8)
    first, second = ([hits(rng.binomial(20, p), 20) for p in (before, after)] for _ in range(2))
    deltas = [late.mean - early.mean for early, late in (first, second)]
    assert split_half(*first) == pytest.approx(spearman(*deltas).rho, abs=0.06)
    assert binomial(*first) == pytest.approx(np.corrcoef(*deltas)[0, 1], abs=0.06)


def test_scores_have_the_reliability_of_their_spread():
    """Planted: variance of personas 100, of a mean of 16 answers 400 / 16 before and after each."""
    rng = np.random.default_rng(5)
    spread, n = np.full(2000, 20.0), np.full(2000, 16.0)
    before, after = rng.normal(0, 5, 2000), rng.normal(0, 10, 2000) + rng.normal(0, 5, 2000)
    answers = [Answers(n, 50 + mean, spread, hits=False) for mean in (before, after)]
    assert binomial(*answers) == pytest.approx(100 / 150, abs=0.03)
    assert split_half(*answers) == pytest.approx(100 / 150, abs=0.03)


def test_prompts_that_differ_for_everyone_are_no_noise():
    """Their means cancel out between personas; drawn answer by answer they would count as noise."""
    rng = np.random.default_rng(6)
    own, of_prompt = rng.normal(size=(N, 1)), rng.normal(0, 5, size=(1, 8))
    assert split_prompts(own + of_prompt + 0.2 * rng.normal(size=(N, 8))) > 0.98
    assert split_prompts(own + of_prompt + 4 * rng.normal(size=(N, 8))) < 0.6


@pytest.mark.parametrize("n", [1, 2])
def test_one_answer_has_no_halves_and_equal_deltas_no_reliability(n):
    k = np.arange(N) % (n + 1)
    assert (split_half(hits(k, n), hits(0 * k, n)) >= 0) == (n == 2)
    assert np.isnan([split_half(hits(k, n), hits(k, n)), binomial(hits(k, n), hits(k, n))]).all()
    assert np.isnan(split_prompts(np.ones((N, 8))))


def drawn_by_prompt(rng, rho, prompts):
    """Deltas whose gradient is another under every prompt: few prompts then say little, however many the personas."""
    cosine, y = normal_pair(rng, rho, N)
    slopes = rng.normal(1.0, 1.5, prompts)
    return cosine, y[:, None] * slopes + rng.normal(size=(N, prompts))


@pytest.mark.parametrize("prompts", [8, 20])
def test_prompts_are_drawn_as_well_where_they_are_few(prompts):
    """By personas alone the interval of eight questions covers far less than it says."""
    rng = np.random.default_rng(7)
    truth = np.mean([spearman(*_means(drawn_by_prompt(rng, 0.5, prompts))).rho for _ in range(2000)])
    crossed = alone = 0
    for _ in range(300):
        cosine, changes = drawn_by_prompt(rng, 0.5, prompts)
        both, one = interval(cosine, changes), interval(cosine, changes.mean(axis=1))
        crossed += both.low <= truth <= both.high
        alone += one.low <= truth <= one.high
    assert alone < crossed - 10
    assert crossed / 300 >= 0.92


def _means(drawn):
    cosine, changes = drawn
    return cosine, changes.mean(axis=1)


@pytest.mark.parametrize(("n", "prompts"), [(20, 0), (110, 0), (110, 8), (110, 20)])
def test_the_mean_of_bystanders_is_covered_95_times_in_100(n, prompts):
    rng, covered = np.random.default_rng(8), 0
    for _ in range(1000):
        y = rng.normal(0.3, 1, size=(n, 1))
        y = y + rng.normal(0, 1, size=(1, prompts)) + rng.normal(size=(n, prompts)) if prompts else y[:, 0]
        reach = interval_of_mean(y)
        covered += reach.low <= 0.3 <= reach.high
    assert 0.93 <= covered / 1000 <= 0.97


def told(cosine, before, after, n):
    """The headline row of a cell with such counts, and its cautions."""
    counts = {"base_k": before, "base_n": n, "k": after, "n": n}
    frame = cell(cosine, (after - before) / n).assign(**{name: np.append(n, value) if np.ndim(value) else value
                                                         for name, value in counts.items()})  # fmt: skip
    table = headline(frame)
    return table.iloc[0], " | ".join(cautions(table)[0])


def test_a_cell_with_few_answers_says_what_they_hide():
    rng = np.random.default_rng(9)
    cosine, before, after = planted(rng, slope=0.7)
    row, said = told(cosine, rng.binomial(4, before), rng.binomial(4, after), 4)
    assert row["answers"] == 4
    assert row["ceiling"] == pytest.approx(np.sqrt(row["reliability"]))
    assert row["rho_corrected"] > row["rho"]
    assert f"the noise of 4 answers each (reliability {row['reliability']:.2f})" in said


def test_a_gradient_that_fewer_answers_would_have_hidden_is_told():
    rng = np.random.default_rng(10)
    cosine, before, after = planted(rng, slope=0.6, rho=0.05)
    row, said = told(cosine, rng.binomial(10, before), rng.binomial(10, after), 10)
    assert row["finding"] == "leaks"
    assert "with 66% of the answers it would be found in fewer than four of five experiments" in said


def test_a_gradient_that_as_many_answers_would_mostly_hide_is_told():
    rng = np.random.default_rng(10)
    cosine, before, after = planted(rng, slope=0.6, rho=0.05)
    row, _ = told(cosine, rng.binomial(10, before), rng.binomial(10, after), 10)
    weak = {"reliability": 0.56, "rho_corrected": 0.35, "detectable": 0.266}
    (said,) = cautions(pd.DataFrame([row.to_dict() | weak]))
    assert "with as many answers once more it would be found in fewer than four of five experiments" in said


def test_bounds_are_told():
    """The source shows it in every answer, and most bystanders too."""
    rng = np.random.default_rng(11)
    after = np.where(np.arange(N) < 70, 8, rng.binomial(8, 0.4, N))
    row, said = told(rng.normal(size=N), np.zeros(N, dtype=int), after, 8)
    assert (row["source_at_bound"], round(row["at_bound"], 2)) == (1, round(np.mean(after == 8), 2))
    assert "the source is at its bound" in said
    assert f"{row['at_bound']:.0%} of the bystanders are at the bound" in said
