"""All sources of a behavior taken together: does similarity predict leakage over every pair of source and bystander?"""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN, known, spearman, varied
from leakage.studies.persona_leakage.analysis.cells import GRID, bystanders

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

POOLED = (*GRID, "unit", "leak_direction", "sources", "pairs", "rho", "p", "rho_within", "p_within", "rho_double",
          "p_double")  # fmt: skip
SHUFFLES, SEED = 999, 20_253
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
    wide = cell.pivot_table(index="persona", columns="source", values=["cosine", "delta"], sort=False, dropna=False)
    cosine, delta = (wide[name].to_numpy(float) for name in ("cosine", "delta"))  # (personas, sources)
    missing = np.isnan(cosine) | np.isnan(delta)
    cosine, delta = np.where(missing, NAN, cosine), np.where(missing, NAN, delta)
    row: dict[str, Any] = {"sources": int((~missing).any(axis=0).sum()), "pairs": int((~missing).sum())}
    for kind, removed in (("", ()), ("_within", (0,)), ("_double", (0, 1))):
        left, right = (without_means(values, removed) for values in (cosine, delta))
        row |= {f"rho{kind}": spearman(left.ravel(), right.ravel()).rho, f"p{kind}": _shuffled_p(left, right)}
    return row


def without_means(values: "Array", axes: tuple[int, ...]) -> "Array":
    """A table less its means along some axes: 0 takes each column's away, 1 each row's; what is missing stays so."""
    left = values.copy()
    for _ in range(ROUNDS if len(axes) > 1 else 1):
        for axis in axes:
            there = ~np.isnan(left)
            sums, counts = np.nansum(left, axis=axis, keepdims=True), there.sum(axis=axis, keepdims=True)
            left = left - np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return np.asarray(left.round(9))  # equal residuals are ties, whatever rounding left of them


def _shuffled_p(cosine: "Array", delta: "Array") -> float:
    """How often personas, shuffled with all their deltas, give as large a rho; nan where rho has no meaning.

    Ranks are taken once: where entries are missing, a shuffle pairs a few others than those they were taken of.
    """
    if not varied(*known(cosine.ravel(), delta.ravel())):
        return NAN
    left, right = _ranks(cosine), _ranks(delta)
    rng, bound = np.random.default_rng([SEED, *cosine.shape]), abs(_correlation(left, right)) * (1 - 1e-9)
    as_large = (abs(_correlation(left, right[rng.permutation(len(right))])) >= bound for _ in range(SHUFFLES))
    return (1 + sum(as_large)) / (SHUFFLES + 1)


def _ranks(values: "Array") -> "Array":
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, nan_policy="omit").reshape(values.shape))


def _correlation(left: "Array", right: "Array") -> float:
    """Pearson's, over the pairs where both are known."""
    both = ~(np.isnan(left) | np.isnan(right))
    one, other = left[both] - left[both].mean(), right[both] - right[both].mean()
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))
