"""Statistics on numbers known beforehand: planted correlations, the null, ties, constants."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from leakage.analysis.resampling import interval, interval_of_difference, permutation_p
from leakage.analysis.statistics import detectable, false_discovery, partial_spearman, pooled, spearman
from tests.unit.frames import normal_pair

N = 110


def series(values):
    return pd.Series(np.asarray(values, dtype=float))


@pytest.mark.parametrize("rho", [0.0, 0.4, -0.8])
def test_intervals_cover_a_planted_rho_95_times_in_100(rho):
    rng, truth = np.random.default_rng(5), 6 / np.pi * np.arcsin(rho / 2)
    reaches = [interval(*map(series, normal_pair(rng, rho, N))) for _ in range(500)]
    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in reaches]) <= 0.97


def test_intervals_cover_a_planted_rho_among_heavy_ties():
    """Two thirds of the deltas are 0, as under a behavior that few pick up."""
    rng = np.random.default_rng(6)

    def draw(n):
        x, y = normal_pair(rng, 0.6, n)
        return series(x), series(np.where(y > 0.43, np.round(y, 1), 0))

    truth = spearman(*draw(400_000)).rho
    reaches = [interval(*draw(N)) for _ in range(500)]
    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in reaches]) <= 0.97


def test_the_bootstrap_is_that_of_scipy():
    x, y = normal_pair(np.random.default_rng(7), 0.5, N)
    own = interval(series(x), series(y.round(1)))
    found = stats.bootstrap(
        (x, y.round(1)), lambda a, b: stats.spearmanr(a, b).statistic, paired=True, vectorized=False,
        n_resamples=2000, method="percentile", rng=np.random.default_rng(8),
    )  # fmt: skip
    assert own.low == pytest.approx(found.confidence_interval.low, abs=0.03)
    assert own.high == pytest.approx(found.confidence_interval.high, abs=0.03)


@pytest.mark.parametrize("ties", [False, True])
def test_permutation_p_is_uniform_under_the_null(ties):
    rng = np.random.default_rng(9)
    found = []
    for _ in range(500):
        x, y = rng.normal(size=(2, N))
        found.append(permutation_p(series(x), series(np.maximum(y, 0).round(1) if ties else y)))
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert 0.03 <= np.mean(np.array(found) < 0.05) <= 0.07


def test_permutation_p_agrees_with_the_t_approximation_where_both_can():
    rng = np.random.default_rng(10)
    for _ in range(20):
        x, y = map(series, normal_pair(rng, 0.1, N))
        assert permutation_p(x, y) == pytest.approx(spearman(x, y).p, abs=0.03)
    assert permutation_p(x, x) == pytest.approx(1 / 5000)


def test_partial_correlation_removes_a_planted_common_factor():
    rng = np.random.default_rng(11)
    plain, partial, partial_p = [], [], []
    for _ in range(200):
        factor, one, other = rng.normal(size=(3, N))
        x, y, z = series(factor + one), series(factor + other), series(factor)
        plain.append(spearman(x, y).rho)
        partial.append(partial_spearman(x, y, z).rho)
        partial_p.append(partial_spearman(x, y, z).p)
    assert np.mean(plain) > 0.45
    # a little is left: ranks are no linear function of what was planted
    assert abs(np.mean(partial)) < 0.03
    assert np.mean(np.array(partial_p) < 0.05) < 0.12


def test_partial_correlation_keeps_what_the_factor_does_not_explain():
    rng = np.random.default_rng(12)
    x, y, z = rng.normal(size=(3, 2000))
    found = partial_spearman(series(x + z), series(x + y + z), series(z))
    direct = stats.pearsonr(x, x + y).statistic
    assert found.rho == pytest.approx(6 / np.pi * np.arcsin(direct / 2), abs=0.05)
    assert found.n == 2000


def test_p_of_a_partial_correlation_is_that_of_a_regression_of_ranks():
    from statsmodels.api import OLS, add_constant

    x, y, z = np.random.default_rng(15).normal(size=(3, 30))
    y = y + 0.4 * x + z
    ranks = [stats.rankdata(one) for one in (x, y, z)]
    regression = OLS(ranks[1], add_constant(np.column_stack([ranks[0], ranks[2]]))).fit()
    assert partial_spearman(series(x), series(y), series(z)).p == pytest.approx(regression.pvalues[1])


def test_partial_correlation_has_no_meaning_where_the_factor_fixes_the_ranks():
    x = series(range(10))
    assert np.isnan(partial_spearman(x, series(np.random.default_rng(0).normal(size=10)), 2 * x).rho)
    assert np.isnan(partial_spearman(x, x**2, series(np.ones(10))).rho)


def test_a_constant_has_neither_interval_nor_p():
    x, same = series(range(5)), series(np.ones(5))
    assert np.isnan([interval(x, same).low, permutation_p(x, same), interval_of_difference(x, x, same).high]).all()


def test_the_difference_of_two_rhos_is_drawn_from_the_same_points():
    rng = np.random.default_rng(13)
    x, y = map(series, normal_pair(rng, 0.7, N))
    other = y + rng.normal(scale=0.1, size=N)
    near = interval_of_difference(x, y, other)
    assert near.low < 0 < near.high
    assert near.high - near.low < 0.1  # apart, each of the two is uncertain by 0.2
    far = interval_of_difference(x, y, series(rng.normal(size=N)))
    assert far.low > 0.2


def test_benjamini_hochberg_by_hand_and_an_undefined_p_is_no_test():
    q = false_discovery(pd.Series([0.01, np.nan, 0.04, 0.03, 0.5]))
    assert q.round(6).tolist()[0] == 0.04
    assert q.round(6).tolist()[2:] == [0.053333, 0.053333, 0.5]
    assert np.isnan(q[1])


def test_the_detectable_rho_is_found_eight_times_in_ten():
    rng, rho = np.random.default_rng(14), detectable(N)
    planted = 2 * np.sin(np.pi / 6 * rho)  # the normal correlation that has this Spearman
    found = [spearman(*map(series, normal_pair(rng, planted, N))).p < 0.05 for _ in range(1000)]
    assert 0.76 <= np.mean(found) <= 0.84
    assert np.isnan(detectable(3))


def test_seeds_are_pooled_by_fisher_z():
    mean, reach = pooled(pd.Series([0.5, 0.7]))
    assert mean == pytest.approx(np.tanh((np.arctanh(0.5) + np.arctanh(0.7)) / 2))
    assert reach.low < 0.5 < 0.7 < reach.high
    alone, unknown = pooled(pd.Series([0.5]))
    assert alone == pytest.approx(0.5)
    assert np.isnan(unknown.low)
