"""One forecast from several predictors: their ranks within a cell, weighted by what other cells have taught.

Ranks, since predictors have units of their own; weights that are never negative, since each predictor comes with the
direction it should have, and a forecast that turns one around explains rather than foretells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN, Interval, spearman
from leakage.studies.persona_leakage.analysis.cells import bystanders, cells
from leakage.studies.persona_leakage.predictors.columns import EXPLORED, FIXED

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

# Before anything is learnt: the published predictor, and the one that two forwards a persona give and that knows the
# behavior, which the cosine does not. Equal parts, as nothing speaks for others.
EQUAL = {"cosine": 0.5, "margin": 0.5}
FEWEST = 2  # cells that weights are learnt from
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Ranked:
    """A finished cell's bystanders as ranks: changes in the direction of leakage, and each predictor.

    Mean 0 and length 1 each, so that a product is a rank correlation; 0 for whoever has no value.
    """

    key: Mapping[str, Any]
    personas: tuple[str, ...]
    change: "Array"
    predictors: Mapping[str, "Array"]

    def score(self, weights: Weights) -> "Array":
        """The forecast of each bystander."""
        return combined(self.predictors, weights)

    def rho(self, weights: Weights) -> float:
        """Spearman of forecast and change; nan where nothing is forecast."""
        return spearman(self.score(weights), self.change).rho


def fixed_columns(frame: "pd.DataFrame") -> dict[str, str]:
    """The predictors of a frame that were fixed beforehand, by name: the headline's cosine and the columns of FIXED."""
    own = {name.removeprefix(FIXED): name for name in frame.columns if name.startswith(FIXED)}
    return ({"cosine": "cosine"} if frame["cosine"].notna().any() else {}) | own


def explored_columns(frame: "pd.DataFrame") -> dict[str, str]:
    """Those of other blocks and definitions."""
    headlines = {f"cosine_{name}" for name in frame["headline"].unique()}
    cosines = [name for name in frame.columns if name.startswith("cosine_") and name not in headlines]
    explored = [name for name in frame.columns if name.startswith(EXPLORED)]
    return {name.removeprefix(EXPLORED): name for name in (*cosines, *explored)}


def ranked_cells(frame: "pd.DataFrame", columns: Mapping[str, str]) -> list[Ranked]:
    """Every cell of a frame in which changes are known. columns: the frame's, by predictor"""
    return [
        Ranked(
            key, tuple(rows["persona"]), ranks(rows["delta"].to_numpy(float) * rows["leak_direction"].to_numpy(float)),
            {name: ranks(rows[column].to_numpy(float)) for name, column in columns.items()},
        )
        for key, rows in cells(bystanders(frame[frame["delta"].notna()]))
    ]  # fmt: skip


def ranks(values: "Array") -> "Array":
    """Ranks of what is known, with mean 0 and length 1; 0 where nothing is, and where all are alike."""
    from scipy.stats import rankdata

    there = ~np.isnan(values)
    left = np.zeros(len(values))
    left[there] = rankdata(values[there]) - (there.sum() + 1) / 2
    length = sqrt(float(left @ left))
    return left / length if length else left


def combined(predictors: Mapping[str, "Array"], weights: Weights) -> "Array":
    """The weighted sum of ranks; of predictors that are not there, the rest has their part."""
    many = len(next(iter(predictors.values()), np.zeros(0)))
    parts = [weight * predictors[name] for name, weight in weights.items() if name in predictors]
    return np.sum(parts, axis=0).round(9) if parts else np.zeros(many)


def in_equal_parts(names: Sequence[str]) -> dict[str, float]:
    """What is forecast with before anything is learnt: EQUAL, or all predictors alike where these are others."""
    own = {name: weight for name, weight in EQUAL.items() if name in names}
    return own or dict.fromkeys(names, 1 / max(1, len(names)))


def learn(learnt_from: Sequence[Ranked], names: Sequence[str]) -> dict[str, float]:
    """Weights that sum to 1, by non-negative least squares of changes on predictors over all cells; equal parts where
    these are fewer than FEWEST or say nothing."""
    from scipy.optimize import nnls

    if len(learnt_from) < FEWEST:
        return in_equal_parts(names)
    zeros = {id(cell): np.zeros(len(cell.change)) for cell in learnt_from}
    left = np.vstack([
        np.column_stack([cell.predictors.get(name, zeros[id(cell)]) for name in names]) for cell in learnt_from
    ])  # fmt: skip
    weights, _ = nnls(left, np.concatenate([cell.change for cell in learnt_from]))
    total = weights.sum()
    return dict(zip(names, (weights / total).tolist(), strict=True)) if total > 0 else in_equal_parts(names)


def best(learnt_from: Sequence[Ranked], names: Sequence[str]) -> dict[str, float]:
    """All weight on the predictor with the largest mean rho over some cells."""
    means = {name: float(np.mean([cell.predictors[name] @ cell.change for cell in learnt_from])) for name in names}
    return {max(means, key=lambda name: means[name]): 1.0} if learnt_from and means else in_equal_parts(names)


def held_out(
    scored: Sequence[Ranked], by: str, how: "Callable[[Sequence[Ranked]], Weights]", others: Sequence[Ranked] = ()
) -> "Array":
    """Each cell's rho by weights from cells that differ from it in `by` alone or in more; nan where there are none.

    others: further cells that may be learnt from
    """
    weights: dict[Any, Weights | None] = {}
    for value in {cell.key[by] for cell in scored}:
        learnt_from = [cell for cell in (*scored, *others) if cell.key[by] != value]
        weights[value] = how(learnt_from) if learnt_from else None
    rhos = [cell.rho(of) if (of := weights[cell.key[by]]) is not None else NAN for cell in scored]
    return np.array(rhos)


def expected(rhos: "Array") -> tuple[float, Interval]:
    """The rho that one more cell like these should have, and where 95 of 100 such cells lie: Student's t of their
    Fisher's z, about their mean; nan below two of them."""
    from scipy.stats import t

    z = np.arctanh(rhos[~np.isnan(rhos)].clip(-1 + 1e-12, 1 - 1e-12))
    if len(z) < 2:
        return NAN, Interval(NAN, NAN)
    reach = float(t.ppf(0.975, len(z) - 1) * z.std(ddof=1) * sqrt(1 + 1 / len(z)))
    middle = float(z.mean())
    return float(np.tanh(middle)), Interval(float(np.tanh(middle - reach)), float(np.tanh(middle + reach)))
