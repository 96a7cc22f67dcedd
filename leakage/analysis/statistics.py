"""Pure statistics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho with its two-sided p by the t approximation, over n points."""

    rho: float
    p: float
    n: int


def spearman(x: "pd.Series[float]", y: "pd.Series[float]") -> Correlation:
    """Rank correlation over the pairs where both are known; rho and p are nan where it has no meaning
    (fewer than three points, or one side constant)."""
    from scipy.stats import spearmanr

    known = x.notna() & y.notna()
    x, y = x[known], y[known]
    if len(x) < 3 or x.nunique() < 2 or y.nunique() < 2:
        return Correlation(float("nan"), float("nan"), len(x))
    found = spearmanr(x, y)
    return Correlation(float(found.statistic), float(found.pvalue), len(x))


def stars(p: float) -> str:
    """The usual marks: *** below .001, ** below .01, * below .05, n.s. otherwise, nothing for nan."""
    if p != p:
        return ""
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else "n.s."
