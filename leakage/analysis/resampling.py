"""Bootstrap intervals and permutation p of rank correlations.

scipy has both for any statistic, and ranks every draw anew: a minute for a thousand cells. Here draws are weights on
points whose order is known, which takes a tenth of that; a test holds the two against each other. All cells of one size
share their draws, so that the same data give the same numbers.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN, Interval, known, varied

if TYPE_CHECKING:
    from leakage.analysis.statistics import Array, Values

DRAWS, SHUFFLES, SEED = 1_000, 4_999, 20_251
TAIL = 0.025
FEW = 5  # values that must differ from the commonest one, for draws to say anything


def interval(x: "Values", y: "Values") -> Interval:
    """Percentile bootstrap interval of Spearman's rho over the pairs where both are known.

    nan where rho is, and where fewer than FEW values of a side differ from its commonest one: most draws would then
    hold the same few points, or none of them, and the interval could leave rho itself out.
    """
    left, right = known(x, y)
    return _percentiles(_drawn_rhos(left, right)) if _can_be_drawn(left, right) else Interval(NAN, NAN)


def interval_of_difference(x: "Values", y: "Values", other: "Values") -> Interval:
    """Bootstrap interval of rho(x, y) - rho(x, other), both of the same drawn points; all three must be known."""
    left, right, third = known(x, y, other)
    if not _can_be_drawn(left, right, third):
        return Interval(NAN, NAN)
    return _percentiles(_drawn_rhos(left, right) - _drawn_rhos(left, third))


def permutation_p(x: "Values", y: "Values") -> float:
    """Two-sided p of Spearman's rho: how often a shuffled y gives as large a one. At least 1 / (SHUFFLES + 1)."""
    from scipy.stats import rankdata

    left, right = known(x, y)
    if not varied(left, right):
        return NAN
    ranks, others = (rankdata(one) - (len(left) + 1) / 2 for one in (left, right))
    # float noise must not keep a shuffle that restores the order from being as large
    as_large = np.abs(others[_shuffles(len(left))] @ ranks) >= abs(others @ ranks) * (1 - 1e-9)
    return float((as_large.sum() + 1) / (SHUFFLES + 1))


def _can_be_drawn(*columns: "Array") -> bool:
    return varied(*columns) and all(differing(one) >= FEW for one in columns)


def differing(values: "Array") -> int:
    """How many values are not the commonest one."""
    return len(values) - int(np.unique(values, return_counts=True)[1].max(initial=0))


def _percentiles(rhos: "Array") -> Interval:
    low, high = np.quantile(rhos, [TAIL, 1 - TAIL])
    return Interval(float(low), float(high))


def _drawn_rhos(x: "Array", y: "Array") -> "Array":
    """Spearman's rho of every bootstrap draw, (DRAWS,); a draw of points that are all alike has no gradient: 0.

    Left out instead, such draws would take the low end of the interval with them.
    """
    weights, middle = _weights(len(x)), (len(x) + 1) / 2
    left, right = _ranks(x, weights) - middle, _ranks(y, weights) - middle
    weighted = weights * left
    scale = np.sqrt(np.einsum("ij,ij->i", weighted, left) * np.einsum("ij,ij,ij->i", weights, right, right))
    products = np.einsum("ij,ij->i", weighted, right)
    rhos: Array = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    return rhos


def _ranks(values: "Array", weights: "Array") -> "Array":
    """Mid-rank of each point in each draw, (DRAWS, n): the points below it and half of its peers."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each group of equal values
    group = np.searchsorted(last, np.arange(len(values)))
    up_to = np.cumsum(weights[:, order], axis=1)[:, last]
    below = np.hstack([np.zeros((len(weights), 1)), up_to[:, :-1]])
    ranks = np.empty_like(weights)
    ranks[:, order] = ((below + up_to + 1) / 2)[:, group]
    return ranks


@lru_cache(maxsize=8)
def _weights(n: int) -> "Array":
    """How often each of n points is in each draw, (DRAWS, n)."""
    draws = np.random.default_rng([SEED, n]).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return draws.astype(float)


@lru_cache(maxsize=8)
def _shuffles(n: int) -> "np.ndarray[Any, np.dtype[np.intp]]":
    """Orders of n points, (SHUFFLES, n)."""
    return np.random.default_rng([SEED, n, 1]).permuted(np.tile(np.arange(n), (SHUFFLES, 1)), axis=1)
