"""Pure statistics of ranks."""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Values = pd.Series[float] | Array

NAN = float("nan")


@dataclass(frozen=True)
class Correlation:
    """A rank correlation with its two-sided p by the t approximation, over n points."""

    rho: float
    p: float
    n: int


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


def spearman(x: "Values", y: "Values") -> Correlation:
    """Rank correlation over the pairs where both are known; rho and p are nan where it has no meaning
    (fewer than three points, or one side constant)."""
    left, right = known(x, y)
    if not varied(left, right):
        return Correlation(NAN, NAN, len(left))
    rho = correlation(left, right)
    return Correlation(rho, _two_sided(rho, len(left) - 2), len(left))


def partial_spearman(x: "Values", y: "Values", fixed: "Values") -> Correlation:
    """Rank correlation of x and y that is left when a third variable is held fixed, where all three are known.

    p by the t approximation with n - 3 degrees of freedom. nan where one of them is constant or `fixed` determines the
    ranks of x or y.
    """
    left, right, third = known(x, y, fixed)
    if len(left) < 4 or not varied(left, right, third):
        return Correlation(NAN, NAN, len(left))
    xy, xz, yz = correlation(left, right), correlation(left, third), correlation(right, third)
    rest = (1 - xz**2) * (1 - yz**2)
    if rest < 1e-12:
        return Correlation(NAN, NAN, len(left))
    rho = float(np.clip((xy - xz * yz) / sqrt(rest), -1, 1))
    return Correlation(rho, _two_sided(rho, len(left) - 3), len(left))


def known(*columns: "Values") -> "list[Array]":
    """The columns as floats, without the rows where one of them is missing."""
    values = np.array(columns, dtype=float)
    return list(values[:, ~np.isnan(values).any(axis=0)])


def mean_known(values: "Values") -> float:
    """The mean of those that are known; nan where none is."""
    (there,) = known(values)
    return float(there.mean()) if len(there) else NAN


def varied(*columns: "Array") -> bool:
    """Whether there are ranks to correlate: three rows or more, and no column constant."""
    return len(columns[0]) >= 3 and all(np.ptp(one) > 0 for one in columns)


def correlation(x: "Array", y: "Array") -> float:
    """scipy's spearmanr gives the same in ten times as long, which a thousand cells would feel."""
    from scipy.stats import rankdata

    ranks = rankdata([x, y], axis=1)
    return float(np.clip(np.corrcoef(ranks[0], ranks[1])[0, 1], -1, 1))


def _two_sided(rho: float, free: int) -> float:
    """p of a correlation by Student's t with so many degrees of freedom."""
    from scipy.special import stdtr

    return float(2 * stdtr(free, -abs(rho) * sqrt(free / max(1 - rho**2, 1e-300))))


def false_discovery(p: "pd.Series[float]") -> "pd.Series[float]":
    """Benjamini-Hochberg: for each p the smallest false discovery rate at which it would count; nan stays nan and does
    not count as a test."""
    from scipy.stats import false_discovery_control

    known = p.notna()
    q = p.astype(float).copy()
    if known.any():
        q[known] = false_discovery_control(p[known].to_numpy(float))
    return q


@lru_cache
def detectable(n: int, *, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest |rho| that n points show with this power in a two-sided test; nan below four points.

    Fisher's z, whose variance is (1 + rho^2 / 2) / (n - 3) for ranks (Bonett and Wright 2000).
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    if n < 4:
        return NAN
    threshold = norm.ppf(1 - level / 2) / sqrt(n - 3)

    def lacks(rho: float) -> float:
        return float(np.arctanh(rho) - threshold - norm.ppf(power) * sqrt((1 + rho**2 / 2) / (n - 3)))

    return float(brentq(lacks, 0, 1 - 1e-12))


def pooled(rhos: "pd.Series[float]") -> tuple[float, Interval]:
    """Mean of rhos by Fisher's z, and its 95 % interval by Student's t over them: how far another seed may lie.

    One rho has no interval (nan).
    """
    from scipy.stats import t

    z = np.arctanh(rhos.dropna().to_numpy(float).clip(-1 + 1e-12, 1 - 1e-12))
    if len(z) == 0:
        return NAN, Interval(NAN, NAN)
    mean = float(z.mean())
    if len(z) == 1:
        return float(np.tanh(mean)), Interval(NAN, NAN)
    reach = float(t.ppf(0.975, len(z) - 1) * z.std(ddof=1) / sqrt(len(z)))
    return float(np.tanh(mean)), Interval(float(np.tanh(mean - reach)), float(np.tanh(mean + reach)))


def stars(p: float) -> str:
    """The usual marks: *** below .001, ** below .01, * below .05, n.s. otherwise, nothing for nan."""
    if p != p:
        return ""
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else "n.s."
