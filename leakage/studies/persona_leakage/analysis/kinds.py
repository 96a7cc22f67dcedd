"""Does the kind of relationship add anything beyond similarity? All sources of a behavior taken together."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.resampling import interval_of_mean
from leakage.analysis.statistics import false_discovery, known, varied
from leakage.studies.persona_leakage.analysis.cells import CELL, GRID, bystanders
from leakage.studies.persona_leakage.analysis.outliers import monotone

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

KINDS = (
    *GRID, "unit", "leak_direction", "category", "related", "personas", "pairs", "mean_delta", "mean_cosine",
    "mean_residual", "residual_low", "residual_high", "p", "q", "p_any",
)  # fmt: skip
SHUFFLES, SEED = 999, 20_257


def by_kind(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a behavior and kind of bystander: its category, and whether the panel relates it to the source.

    Over pairs of source and bystander. mean_residual: how much more they changed than the monotone fit of delta on
    cosine in their cells expects, 0 where the kind says nothing beyond similarity; its interval and p by Student's t
    over personas, q over the kinds of a behavior. p_any: how often personas, shuffled with all their residuals, differ
    as much between categories; never below .001.
    """
    import pandas as pd

    others = bystanders(frame).assign(residual=np.nan, place=np.arange(len(bystanders(frame))))
    for _, cell in others.groupby(CELL, sort=False):
        others.loc[cell.index, "residual"] = residuals(cell)
    others["related"] = [s in r.split() for s, r in zip(others["source"], others["related_to"], strict=True)]
    order = {name: place for place, name in enumerate(frame["category"].unique())}
    rows = [
        dict(zip(GRID, key, strict=True)) | _units(behavior) | row
        for key, behavior in others.groupby(GRID, sort=False)
        for row in _kinds(behavior, order)
    ]
    return pd.DataFrame(rows, columns=list(KINDS))


def residuals(cell: "pd.DataFrame") -> "Array":
    """What one cell's monotone fit leaves of each delta; nan where delta or cosine is missing."""
    cosine, delta = cell["cosine"].to_numpy(float), cell["delta"].to_numpy(float)
    left, there = np.full(len(cell), np.nan), ~(np.isnan(cosine) | np.isnan(delta))
    if varied(*known(cosine, delta)):
        left[there] = delta[there] - monotone(cosine[there], delta[there])
    return left


def _units(rows: "pd.DataFrame") -> dict[str, Any]:
    return {name: rows[name].iloc[0] for name in ("unit", "leak_direction")}


def _kinds(behavior: "pd.DataFrame", order: dict[Any, int]) -> list[dict[str, Any]]:
    """The rows of one behavior, in the panel's order of categories, the related first."""
    import pandas as pd

    groups = [
        {"category": category, "related": related, "pairs": int(rows["delta"].count())}
        | {"mean_delta": rows["delta"].mean(), "mean_cosine": rows["cosine"].mean()}
        | _beyond(rows.groupby("persona")["residual"].mean().dropna())
        for (category, related), rows in behavior.groupby(["category", "related"], sort=False)
    ]
    groups.sort(key=lambda row: (order[row["category"]], not row["related"]))
    corrected, anything = false_discovery(pd.Series([row["p"] for row in groups], dtype=float)), _p_any(behavior)
    return [row | {"q": q, "p_any": anything} for row, q in zip(groups, corrected, strict=True)]


def _beyond(left: "pd.Series[float]") -> dict[str, float]:
    """Mean residual of a kind's personas, with interval and p."""
    from scipy.stats import ttest_1samp

    reach = interval_of_mean(left)
    tested = len(left) > 1 and left.nunique() > 1
    return {
        "personas": len(left), "mean_residual": left.mean(), "residual_low": reach.low, "residual_high": reach.high,
        "p": float(ttest_1samp(left, 0).pvalue) if tested else float("nan"),
    }  # fmt: skip


def _p_any(behavior: "pd.DataFrame") -> float:
    """Kruskal and Wallis's statistic of personas' mean residuals by category, against shuffles of the personas."""
    from scipy.stats import rankdata

    people = behavior.groupby("persona").agg({"category": "first", "residual": "mean"}).dropna()
    kinds = np.unique(people["category"], return_inverse=True)[1]
    if kinds.max(initial=0) == 0 or people["residual"].nunique() < 2:
        return float("nan")
    ranks, sizes = rankdata(people["residual"]) - (len(people) + 1) / 2, np.bincount(kinds)

    def spread(values: "Array") -> float:
        return float((np.bincount(kinds, weights=values) ** 2 / sizes).sum())

    rng, bound = np.random.default_rng([SEED, len(people)]), spread(ranks) * (1 - 1e-9)
    return (1 + sum(spread(rng.permutation(ranks)) >= bound for _ in range(SHUFFLES))) / (SHUFFLES + 1)
