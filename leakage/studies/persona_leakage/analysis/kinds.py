"""Does the kind of relationship add anything beyond similarity? All sources of a behavior taken together."""

from typing import TYPE_CHECKING

import numpy as np

from leakage.analysis.resampling import share_as_large, shuffles
from leakage.analysis.statistics import false_discovery, varied
from leakage.studies.persona_leakage.analysis.cells import GRID, bystanders, columns_of_cells
from leakage.studies.persona_leakage.analysis.outliers import monotone

if TYPE_CHECKING:
    import pandas as pd


KIND = ["category", "related"]
KINDS = (
    *GRID, "unit", "leak_direction", "category", "related", "personas", "pairs", "mean_delta", "mean_cosine",
    "mean_residual", "residual_low", "residual_high", "p", "q", "p_any",
)  # fmt: skip
SHUFFLES = 999


def by_kind(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a behavior and kind of bystander: its category, and whether the panel relates it to the source.

    Over pairs of source and bystander. mean_residual: how much more they changed than the monotone fit of delta on
    cosine in their cells expects, 0 where the kind says nothing beyond similarity; its interval and p by Student's t
    over personas, q over the kinds of a behavior. p_any: how often personas, shuffled with all their residuals, differ
    as much between categories; never below .001.
    """
    import pandas as pd

    order = {name: place for place, name in enumerate(frame["category"].unique())}
    others = _with_residuals(bystanders(frame))
    people = others.groupby([*GRID, *KIND, "persona"], sort=False)["residual"].mean().dropna()
    beyond = people.groupby([*GRID, *KIND], sort=False).agg(personas="count", mean_residual="mean", sd="std")
    means = {"pairs": ("delta", "count"), "mean_delta": ("delta", "mean"), "mean_cosine": ("cosine", "mean")}
    units = {"unit": ("unit", "first"), "leak_direction": ("leak_direction", "first")}
    table = others.groupby([*GRID, *KIND], sort=False).agg(**units, **means).join(beyond).reset_index()
    table = table.assign(personas=table["personas"].fillna(0).astype(int), **_tested(table))
    groups = table.groupby(GRID, sort=False)
    table = table.assign(
        q=groups["p"].transform(false_discovery), place=table["category"].map(order), grid=groups.ngroup()
    )
    anything = pd.Series({key: _p_any(rows) for key, rows in others.groupby(GRID, sort=False)}, dtype=float)
    table["p_any"] = anything.reindex(pd.MultiIndex.from_frame(table[GRID])).to_numpy()
    rows = table.sort_values(["grid", "place", "related"], ascending=[True, True, False], kind="stable")
    return rows.reset_index(drop=True)[list(KINDS)]


def _with_residuals(others: "pd.DataFrame") -> "pd.DataFrame":
    """What its cell's monotone fit leaves of each delta (nan where delta or cosine is missing), and whether the panel
    relates the bystander to the source."""
    others = others.assign(
        place=np.arange(len(others)),
        related=[s in r.split() for s, r in zip(others["source"], others["related_to"], strict=True)],
    )
    residuals = np.full(len(others), np.nan)
    for _, cell in columns_of_cells(others, "cosine", "delta", "place"):
        cosine, delta = cell["cosine"].astype(float), cell["delta"].astype(float)
        there = ~np.isnan(cosine + delta)
        if varied(cosine[there], delta[there]):
            residuals[cell["place"][there]] = delta[there] - monotone(cosine[there], delta[there])
    return others.assign(residual=residuals)


def _tested(table: "pd.DataFrame") -> "dict[str, pd.Series[float]]":
    """Interval and p of mean residuals by Student's t; nan where a kind has one persona, or its residuals are alike."""
    from scipy.stats import t

    free, spread = (table["personas"] - 1).clip(lower=1), table["sd"].where(table["sd"] > 0)
    error = spread / np.sqrt(table["personas"].clip(lower=1))
    reach = error * t.ppf(0.975, free)
    return {
        "residual_low": table["mean_residual"] - reach,
        "residual_high": table["mean_residual"] + reach,
        "p": error.where(error.isna(), 2 * t.sf((table["mean_residual"] / error).abs(), free)),
    }


def _p_any(behavior: "pd.DataFrame") -> float:
    """Kruskal and Wallis's statistic of personas' mean residuals by category, against shuffles of the personas."""
    from scipy.stats import rankdata

    people = behavior.groupby("persona").agg({"category": "first", "residual": "mean"}).dropna()
    kinds = np.unique(people["category"], return_inverse=True)[1]
    if kinds.max(initial=0) == 0 or people["residual"].nunique() < 2:
        return float("nan")
    ranks = rankdata(people["residual"]) - (len(people) + 1) / 2
    members = kinds[:, None] == np.arange(kinds.max() + 1)  # (personas, kinds)
    spread = ((ranks[shuffles(len(people), SHUFFLES)] @ members) ** 2 / members.sum(axis=0)).sum(axis=1)
    return share_as_large(spread)
