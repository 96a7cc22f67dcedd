"""All sources of a behavior taken together: does similarity predict leakage over every pair of source and bystander?"""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.resampling import share_as_large, shuffles
from leakage.analysis.statistics import NAN, known, spearman, varied
from leakage.studies.persona_leakage.analysis.cells import GRID, bystanders, wide

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

POOLED = (*GRID, "unit", "leak_direction", "sources", "pairs", "rho", "p", "rho_within", "p_within", "rho_double",
          "p_double")  # fmt: skip
SHUFFLES = 999
ROUNDS = 50  # of taking away row and column means in turn, which converges where pairs are missing


def pooled(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a behavior, seed and variant: Spearman of cosine and delta over all pairs of source and bystander.

    rho: of all pairs as they are; rho_within: with each source's means removed, so that a source that leaks to all is
    no evidence; rho_double: with each persona's means removed too, which leaves what is between the two. A persona is
    in many pairs: p is the share of shuffles of whole personas (999) with as large a rho, never below .001.
    """
    import pandas as pd

    rows = [
        dict(zip(GRID, key, strict=True)) | _units(cell) | _row(cell)
        for key, cell in bystanders(frame).groupby(GRID, sort=False)
    ]
    return pd.DataFrame(rows, columns=list(POOLED))


def _units(cell: "pd.DataFrame") -> dict[str, Any]:
    return {name: cell[name].iloc[0] for name in ("unit", "leak_direction")}


def _row(cell: "pd.DataFrame") -> dict[str, Any]:
    cosine, delta = (wide(cell, name).to_numpy() for name in ("cosine", "delta"))  # (personas, sources)
    missing = np.isnan(cosine) | np.isnan(delta)
    cosine, delta = np.where(missing, NAN, cosine), np.where(missing, NAN, delta)
    row: dict[str, Any] = {"sources": int((~missing).any(axis=0).sum()), "pairs": int((~missing).sum())}
    for kind, removed in (("", ()), ("_within", (0,)), ("_double", (0, 1))):
        left, right = (without_means(values, removed) for values in (cosine, delta))
        row |= {f"rho{kind}": spearman(left.ravel(), right.ravel()).rho, f"p{kind}": _shuffled_p(left, right)}
    return row


def without_means(values: "Array", axes: tuple[int, ...]) -> "Array":
    """A table less its means along some axes: 0 takes each column's away, 1 each row's; what is missing stays so."""
    there, left = ~np.isnan(values), np.nan_to_num(values)
    for _ in range(ROUNDS):
        before = left
        for axis in axes:
            counts = there.sum(axis=axis, keepdims=True).clip(min=1)
            left = np.where(there, left - left.sum(axis=axis, keepdims=True) / counts, 0.0)
        if np.abs(left - before).max(initial=0) < 1e-12:
            break
    left = np.where(there, left, NAN)
    return np.asarray(left.round(9))  # equal residuals are ties, whatever rounding left of them


def _shuffled_p(cosine: "Array", delta: "Array") -> float:
    """How often personas, shuffled with all their deltas, give as large a rho; nan where rho has no meaning.

    Ranks are taken once: where entries are missing, a shuffle pairs a few others than those they were taken of.
    """
    if not varied(*known(cosine.ravel(), delta.ravel())):
        return NAN
    orders = shuffles(len(cosine), SHUFFLES)
    return share_as_large(np.abs(_correlations(_ranks(cosine), _ranks(delta), orders)))


def _ranks(values: "Array") -> "Array":
    """Of all that are known; scipy does the same where it is told to leave nan out, in ten times as long."""
    from scipy.stats import rankdata

    ranks, there = np.full(values.shape, NAN), ~np.isnan(values)
    ranks[there] = rankdata(values[there])
    return ranks


def _correlations(left: "Array", right: "Array", orders: "np.ndarray[Any, np.dtype[np.intp]]") -> "Array":
    """Pearson's of left with right in each order of its rows, over the entries where both are known.

    Sums over a row of left with any row of right are taken once, (n, n); an order picks n of them.
    """
    known_left, known_right = (~np.isnan(left)).astype(float), (~np.isnan(right)).astype(float)
    one, other = np.nan_to_num(left - np.nanmean(left)), np.nan_to_num(right - np.nanmean(right))

    def sums(first: "Array", second: "Array") -> "Array":
        return np.asarray((first @ second.T)[np.arange(len(left)), orders].sum(axis=1))

    if known_left.all() and known_right.all():  # then means and spreads are the same in every order
        return np.asarray(sums(one, other) / np.sqrt((one**2).sum() * (other**2).sum()))
    many, x, y = sums(known_left, known_right), sums(one, known_right), sums(known_left, other)
    spread = (sums(one**2, known_right) - x**2 / many) * (sums(known_left, other**2) - y**2 / many)
    products = sums(one, other) - x * y / many
    return np.divide(products, np.sqrt(spread), out=np.zeros_like(spread), where=spread > 0)
