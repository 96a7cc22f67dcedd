"""Bootstrap intervals and permutation p of rank correlations.

scipy has both for any statistic, and ranks every draw anew, one by one: a minute for a thousand cells. Here draws are
weights on points, ranked all at once, which takes a tenth of that; a test holds the two against each other. All cells
of one size share their draws, so that the same data give the same numbers.

Where y is given by prompt, (n, prompts), prompts are drawn as well as points (Owen 2007): eight questions are eight
data, however many samples each has. What is missing is nan.
"""

from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN, Interval, correlation, known, varied

if TYPE_CHECKING:
    from leakage.analysis.statistics import Array, Values

DRAWS, SHUFFLES, SEED = 1_000, 4_999, 20_251
TAIL = 0.025
PARTS = 8  # of the draws, each of which fits into a processor's cache
FEW = 5  # values that must differ from the commonest one, for draws to say anything


def interval(x: "Values", y: "Values") -> Interval:
    """95 % bootstrap interval of Spearman's rho over the points where both are known; y (n,) or (n, prompts).

    The spread of the draws about their median, in Fisher's z, laid about rho. Where few values differ from the
    commonest one, so many are the data: the spread is widened as Student's t for these few is. nan where rho is, and
    where fewer than FEW values of a side differ: most draws would then hold the same few points, or none of them.
    """
    (left, right), prompts = _points(x, y)
    if not _can_be_drawn(left, right):
        return Interval(NAN, NAN)
    drawn = np.arctanh(_drawn_rhos(left, _drawn(right, prompts)).clip(-1 + 1e-9, 1 - 1e-9))
    rho = np.arctanh(np.clip(correlation(left, right), -1 + 1e-9, 1 - 1e-9))
    reach = _laid_about(float(rho), drawn, _widening(left, right))
    return Interval(float(np.tanh(reach.low)), float(np.tanh(reach.high)))


def interval_of_difference(x: "Values", y: "Values", other: "Values") -> Interval:
    """Bootstrap interval of rho(x, y) - rho(x, other), both of the same drawn points, where all three are known."""
    left, right, third = known(x, y, other)
    if not _can_be_drawn(left, right, third):
        return Interval(NAN, NAN)
    drawn = _drawn_rhos(left, _drawn(right, None)) - _drawn_rhos(left, _drawn(third, None))
    difference = correlation(left, right) - correlation(left, third)
    return _laid_about(difference, drawn, _widening(left, right, third))


def interval_of_mean(y: "Values") -> Interval:
    """95 % interval of the mean of all points by Student's t; y (n,) or (n, prompts).

    By prompt, the variance is that of points plus that of prompts, less that of single entries, which is in both, with
    the degrees of freedom of whichever are fewer.
    """
    table = np.asarray(y, dtype=float)
    table = table[:, None] if table.ndim == 1 else table
    table = table[~np.isnan(table).all(axis=1)]
    n, prompts = table.shape
    if min(n, prompts if prompts > 1 else n) < 2:
        return Interval(NAN, NAN)
    points = np.nanmean(table, axis=1)
    variance, free = points.var(ddof=1) / n, n - 1
    if prompts > 1:
        each = np.nanmean(table, axis=0)
        rest = table - points[:, None] - each + points.mean()
        of_both = np.nansum(rest**2) / ((n - 1) * (prompts - 1)) / (n * prompts)
        variance, free = variance + max(0.0, each.var(ddof=1) / prompts - of_both), min(n, prompts) - 1
    reach = _t(free) * sqrt(variance)
    return Interval(float(points.mean() - reach), float(points.mean() + reach))


def permutation_p(x: "Values", y: "Values") -> float:
    """Two-sided p of Spearman's rho: how often a shuffled y gives as large a one. At least 1 / (SHUFFLES + 1)."""
    from scipy.stats import rankdata

    left, right = known(x, y)
    if not varied(left, right):
        return NAN
    ranks, others = (rankdata(one) - (len(left) + 1) / 2 for one in (left, right))
    return share_as_large(np.abs(others[shuffles(len(left), SHUFFLES)] @ ranks))


def _orders(values: "Array") -> "np.ndarray[Any, np.dtype[np.intp]]":
    """np.argsort along rows of values of nine decimals, in a third of its time: value and place are sorted as one."""
    bits = values.shape[1].bit_length()
    keys = (np.rint(values * 1e9).astype(np.int64) << bits) | np.arange(values.shape[1])
    return np.asarray(np.sort(keys, axis=1) & (2**bits - 1))


def share_as_large(statistics: "Array") -> float:
    """p of the first of them among all, which are of shuffles; at least 1 / len(statistics)."""
    # float noise must not keep a shuffle that restores the order from being as large
    return float((statistics >= statistics[0] * (1 - 1e-9)).mean())


@lru_cache(maxsize=16)
def shuffles(n: int, many: int) -> "np.ndarray[Any, np.dtype[np.intp]]":
    """The order of n points as it is, and so many others, (1 + many, n)."""
    others = np.random.default_rng([SEED, n, 1]).permuted(np.tile(np.arange(n), (many, 1)), axis=1)
    return np.vstack([np.arange(n), others])


def differing(values: "Array") -> int:
    """How many values are not the commonest one."""
    return len(values) - int(np.unique(values, return_counts=True)[1].max(initial=0))


def _points(x: "Values", y: "Values") -> "tuple[list[Array], Array | None]":
    """The points where both are known, and their changes by prompt where y has them."""
    changes = np.asarray(y, dtype=float)
    if changes.ndim == 1:
        return known(x, changes), None
    there = ~(np.isnan(np.asarray(x, dtype=float)) | np.isnan(changes).all(axis=1))
    table = changes[there]
    return [np.asarray(x, dtype=float)[there], np.nanmean(table, axis=1).round(9)], table


def _can_be_drawn(*columns: "Array") -> bool:
    return varied(*columns) and all(differing(one) >= FEW for one in columns)


def _widening(*columns: "Array") -> float:
    """Student's t of the values that differ from the commonest one, against that of all."""
    n, fewest = len(columns[0]), min(map(differing, columns))
    return _t(fewest - 1) / _t(n - 2)


@lru_cache
def _t(free: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(free, 1), 1 - TAIL))


def _laid_about(value: float, drawn: "Array", widening: float) -> Interval:
    """The drawn values' spread about their median, about the value itself; drawn prompts make more noise, and would
    pull every draw towards 0."""
    low, middle, high = np.quantile(drawn, [TAIL, 0.5, 1 - TAIL])
    return Interval(float(value - (middle - low) * widening), float(value + (high - middle) * widening))


def _drawn(y: "Array", prompts: "Array | None") -> "Array":
    """y in every draw, (DRAWS, n) or (1, n): the same, or its mean over drawn prompts, (n, prompts)."""
    if prompts is None or prompts.shape[1] == 1:
        return y[None]
    weights, there = _weights(prompts.shape[1], of=1), ~np.isnan(prompts)
    counts = weights @ there.T
    means = np.divide(weights @ np.nan_to_num(prompts).T, counts, out=np.tile(y, (DRAWS, 1)), where=counts > 0)
    return np.asarray(means.round(9))


def _drawn_rhos(x: "Array", y: "Array") -> "Array":
    """Spearman's rho of every bootstrap draw, (DRAWS,), of x (n,) and y (DRAWS or 1, n); a draw of points that are all
    alike has no gradient: 0.

    Left out instead, such draws would take the low end of the interval with them.
    """
    weights = np.array_split(_weights(len(x)), PARTS)
    values = np.array_split(y, PARTS) if len(y) > 1 else [y] * PARTS
    return np.concatenate([_rhos(x, *part) for part in zip(values, weights, strict=True)])


def _rhos(x: "Array", y: "Array", weights: "Array") -> "Array":
    middle = (len(x) + 1) / 2
    left, right = _ranks(x[None], weights) - middle, _ranks(y, weights) - middle
    weighted = weights * left
    scale = np.sqrt(np.einsum("ij,ij->i", weighted, left) * np.einsum("ij,ij,ij->i", weights, right, right))
    products = np.einsum("ij,ij->i", weighted, right)
    rhos: Array = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    return rhos


def _ranks(values: "Array", weights: "Array") -> "Array":
    """Mid-rank of each point in each draw, (DRAWS, n), of values (DRAWS or 1, n): those below it and half its peers."""
    return _ranks_of_one(values[0], weights) if len(values) == 1 else _ranks_of_each(values, weights)


def _ranks_of_one(values: "Array", weights: "Array") -> "Array":
    """Where values are the same in every draw: their order is, too."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each group of equal values
    group = np.searchsorted(last, np.arange(len(values)))
    up_to = np.cumsum(weights[:, order], axis=1)[:, last]
    below = np.hstack([np.zeros((len(weights), 1)), up_to[:, :-1]])
    ranks = np.empty_like(weights)
    ranks[:, order] = ((below + up_to + 1) / 2)[:, group]
    return ranks


def _ranks_of_each(values: "Array", weights: "Array") -> "Array":
    """Where every draw has values of its own."""
    flat = _orders(values) + values.shape[1] * np.arange(len(values))[:, None]
    ordered, weight = values.ravel()[flat], weights.ravel()[flat]
    new = np.diff(ordered, axis=1, prepend=-np.inf) > 0  # where a group of equal values begins
    ends = np.hstack([new[:, 1:], np.ones((len(new), 1), dtype=bool)])
    up_to = np.cumsum(weight, axis=1)
    below = np.maximum.accumulate(np.where(new, up_to - weight, 0.0), axis=1)
    last = np.minimum.accumulate(np.where(ends, up_to, np.inf)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(weights)
    ranks.ravel()[flat] = (below + last + 1) / 2
    return ranks


@lru_cache(maxsize=8)
def _weights(n: int, of: int = 0) -> "Array":
    """How often each of n points is in each draw, (DRAWS, n); of: 0 points, 1 prompts, drawn apart."""
    draws = np.random.default_rng([SEED, n, of] if of else [SEED, n]).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return draws.astype(float)
