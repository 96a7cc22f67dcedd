"""The race: which predictor says who takes a behavior up, held out, against each other, and against chance."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.resampling import share_as_large, shuffles
from leakage.analysis.statistics import NAN, spearman
from leakage.studies.persona_leakage.analysis.cells import CELL, bystanders, cells, wide
from leakage.studies.persona_leakage.analysis.combination import (
    EQUAL,
    Ranked,
    best,
    explored_columns,
    fixed_columns,
    held_out,
    learn,
    ranked_cells,
)
from leakage.studies.persona_leakage.analysis.pooled import without_means

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

GROUP = ["model", "seed", "judge", "variant"]  # whose cells race together
RACE = (
    *GROUP, "predictor", "kind", "cells", "mean_rho", "positive", "better", "p_best", "pair_rho", "partial_rho",
    "rho_behaviors", "rho_sources", "rho_models", "weight",
)  # fmt: skip
FORECASTS = (
    *CELL, "n", "rho", "forecast_rho", "expected_rho", "expected_low", "expected_high", "top_ten",
    "before_training",
)  # fmt: skip
HELD_OUT = {"rho_behaviors": "behavior", "rho_sources": "source", "rho_models": "model"}
SHUFFLES = 999
TOP = 10
LEVEL = 0.05
SOURCE, NOTHING = "source alone", "nothing"


def by_predictor(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a predictor, over the cells of one model, seed and set of settings. Every rho is Spearman's of predictor
    and change over a cell's bystanders, both in the direction that leakage should have.

    kind: fixed = of the definition set beforehand; explored = of another block or definition; combined = of several
    mean_rho: over cells; positive, better: cells in which it is above 0, above the headline cosine's
    p_best: how often, with whole personas shuffled, the best of all predictors and blocks has as large a mean rho
    pair_rho: over pairs of source and bystander less the means of both: what is between the two
    partial_rho: mean over cells, with all other fixed predictors held fixed
    rho_behaviors, rho_sources, rho_models: held out, by what was learnt from cells of other behaviors, sources, models:
    of one predictor its direction, of several their weights (or which is best)
    weight: in the combination learnt from all cells; that of the source alone is the share of the variance of changes
    that is between sources, and its p_best says how often personas shuffled among sources give as much
    """
    import pandas as pd

    columns = fixed_columns(frame) | explored_columns(frame)
    everywhere = ranked_cells(frame, fixed_columns(frame))
    rows: list[dict[str, Any]] = []
    for key, group in frame.groupby(GROUP, sort=False):
        group_columns = {name: column for name, column in columns.items() if group[column].notna().any()}
        mine = dict(zip(GROUP, key, strict=True))
        others = [one for one in everywhere if one.key["model"] != mine["model"] and not one.key["variant"]]
        rows += [mine | row for row in _race(group, group_columns, others)]
    return pd.DataFrame(rows, columns=list(RACE))


def _race(frame: "pd.DataFrame", columns: Mapping[str, str], others: Sequence[Ranked]) -> Iterator[dict[str, Any]]:
    scored = ranked_cells(frame, columns)
    if not scored or not columns:
        return
    fixed = [name for name in fixed_columns(frame) if name in columns]
    cosine = np.array([one.rho({"cosine": 1.0}) for one in scored])
    chance = p_of_best(scored, list(columns))
    weights = learn(scored, fixed)
    for name, column in columns.items():
        rhos = _rhos(np.array([one.rho({name: 1.0}) for one in scored]), cosine)
        yield {
            "predictor": name, "kind": "fixed" if name in fixed else "explored",
            **rhos, "p_best": chance[name] if rhos["cells"] else NAN,
            "pair_rho": pair_specific(frame, column),
            "partial_rho": _mean([partial_rho(one, name, fixed) for one in scored]) if name in fixed else NAN,
            **_held_out(scored, partial(_direction, name=name), others), "weight": weights.get(name, NAN),
        }  # fmt: skip
    yield from _combined(scored, fixed, cosine, others)
    if "forecast" in frame:
        sealed = [spearman(rows["forecast"], rows["delta"] * rows["leak_direction"]).rho for _, rows in _cells(frame)]
        yield {"predictor": "sealed forecast", "kind": "combined", **_rhos(np.array(sealed), cosine)}
    share, p = between_sources(frame)
    yield {"predictor": SOURCE, "kind": "no predictor", "cells": len(scored), "p_best": p, "weight": share}


def _cells(frame: "pd.DataFrame") -> "Iterator[tuple[dict[str, Any], pd.DataFrame]]":
    return cells(bystanders(frame[frame["delta"].notna()]))


def _combined(
    scored: Sequence[Ranked], fixed: Sequence[str], cosine: "Array", others: Sequence[Ranked]
) -> Iterator[dict[str, Any]]:
    """What several predictors say together: in equal parts, with weights learnt, and the one that is best elsewhere."""
    equal = np.array([one.rho(EQUAL) for one in scored])
    if {"cosine", "margin"} <= set(fixed):
        yield {"predictor": "cosine and margin", "kind": "combined", **_rhos(equal, cosine)}
    for name, how in (("forecast", learn), ("best elsewhere", best)):
        held = _held_out(scored, partial(how, names=fixed), others)
        by = "behavior" if held["rho_behaviors"] == held["rho_behaviors"] else "source"
        rhos = held_out(scored, by, partial(how, names=fixed))
        yield {"predictor": name, "kind": "combined", **_rhos(rhos, cosine), **held}


def _rhos(rhos: "Array", cosine: "Array") -> dict[str, float]:
    """Their mean, and in how many cells they are positive and better than the cosine; nan where there are none."""
    known = rhos[~np.isnan(rhos)]
    compared = not np.isnan(cosine).all() and not np.array_equal(rhos, cosine, equal_nan=True)
    better = int((rhos > cosine + 1e-9).sum()) if compared else NAN
    positive = int((known > 0).sum()) if len(known) else NAN
    return {"cells": len(known), "mean_rho": _mean(known), "positive": positive, "better": better}


def _mean(values: "Sequence[float] | Array") -> float:
    known = np.array([one for one in values if one == one])
    return float(known.mean()) if len(known) else NAN


def _held_out(scored: Sequence[Ranked], how: Any, others: Sequence[Ranked]) -> dict[str, float]:
    return {
        column: _mean(held_out(scored, by, how, others if by == "model" else ())) for column, by in HELD_OUT.items()
    }


def _direction(learnt_from: Sequence[Ranked], *, name: str) -> dict[str, float]:
    """One predictor, turned around where it was wrong elsewhere."""
    products = [one.predictors[name] @ one.change for one in learnt_from if name in one.predictors]
    return {name: -1.0 if np.sum(products) < 0 else 1.0}


def partial_rho(cell: Ranked, name: str, fixed: Sequence[str]) -> float:
    """Rank correlation of predictor and change that is left when all other predictors' ranks are held fixed."""
    others = [cell.predictors[one] for one in fixed if one != name and cell.predictors[one].any()]
    left, right = cell.predictors[name], cell.change
    if others:
        held = np.column_stack(others)
        left, right = (one - held @ np.linalg.lstsq(held, one, rcond=None)[0] for one in (left, right))
    length = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right / length) if length > 1e-9 else NAN


def pair_specific(frame: "pd.DataFrame", column: str) -> float:
    """Spearman over pairs of source and bystander, less each source's and each persona's mean: mean over behaviors."""
    rhos = []
    for _, rows in bystanders(frame).groupby(["taught", "behavior"], sort=False):
        if rows["source"].nunique() > 1:
            change = rows.assign(change=rows["delta"] * rows["leak_direction"])
            tables = [wide(change, name).to_numpy() for name in (column, "change")]
            missing = np.isnan(tables[0]) | np.isnan(tables[1])
            left, right = (without_means(np.where(missing, NAN, one), (0, 1)) for one in tables)
            rhos.append(spearman(left.ravel(), right.ravel()).rho)
    return _mean(rhos)


def p_of_best(scored: Sequence[Ranked], names: Sequence[str]) -> dict[str, float]:
    """For each predictor how often the best of all has as large a mean rho when whole personas are shuffled: the same
    shuffle for all predictors and all cells, as personas are alike in these; at least 1 / (SHUFFLES + 1)."""
    people = {name: place for place, name in enumerate(dict.fromkeys(one for cell in scored for one in cell.personas))}
    change = _by_persona([cell.change for cell in scored], scored, people)
    orders = shuffles(len(people), SHUFFLES)
    means = []
    for name in names:
        predicted = _by_persona([cell.predictors[name] for cell in scored], scored, people)
        products = predicted @ change.T / len(scored)  # of each persona's ranks with each other one's changes
        means.append(products[np.arange(len(people)), orders].sum(axis=1))
    largest = np.max(means, axis=0)
    return {
        name: share_as_large(np.concatenate([mean[:1], largest[1:]])) if mean[0] > 0 else 1.0
        for name, mean in zip(names, means, strict=True)
    }


def _by_persona(rows: "Sequence[Array]", scored: Sequence[Ranked], people: Mapping[str, int]) -> "Array":
    """(personas, cells), 0 where a persona is not in a cell."""
    table = np.zeros((len(people), len(scored)))
    for place, (values, cell) in enumerate(zip(rows, scored, strict=True)):
        table[[people[name] for name in cell.personas], place] = values
    return table


def between_sources(frame: "pd.DataFrame") -> tuple[float, float]:
    """The share of the variance of changes, within behaviors and less each persona's mean, that is between sources; and
    how often changes shuffled among the sources of each persona give as much."""
    between, whole = np.zeros(SHUFFLES + 1), 0.0
    for _, rows in bystanders(frame).groupby(["taught", "behavior"], sort=False):
        table = wide(rows.assign(change=rows["delta"] * rows["leak_direction"]), "change").to_numpy()
        left = np.nan_to_num(without_means(table, (1,)))
        if left.shape[1] > 1 and (spread := float((left**2).sum())) > 0:
            orders = np.random.default_rng(len(left)).permuted(np.tile(left, (SHUFFLES, 1, 1)), axis=2)
            sums = np.concatenate([left[None], orders]).sum(axis=1)
            between += (sums**2).sum(axis=1) / len(left) / spread
            whole += 1
    return (float(between[0] / whole), share_as_large(between)) if whole else (NAN, NAN)


def cause(race: "pd.DataFrame") -> str:
    """What one group's race names: its best predictor where chance would not give one as good, else the source alone
    where sources differ by more than chance, else nothing."""
    predictors = race[race["kind"].isin(["fixed", "explored"]) & race["mean_rho"].notna()]
    first = predictors.sort_values("mean_rho", ascending=False, kind="stable").head(1)
    if (first["p_best"] < LEVEL).any():
        return str(first["predictor"].iloc[0])
    alone = race.loc[race["predictor"] == SOURCE, "p_best"]
    return SOURCE if (alone < LEVEL).any() else NOTHING


def by_forecast(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell with a sealed forecast: how right it was, beside the headline cosine's rho in the direction of
    leakage and what was to be expected. top_ten: how many of its first ten are among the ten that changed most; nan
    where all changed alike, or bystanders are so few that ten are most of them."""
    import pandas as pd

    rows = []
    for key, one in _cells(frame) if "forecast" in frame else ():
        change = one["delta"] * one["leak_direction"]
        scored = spearman(one["forecast"], change)
        if scored.n:
            expected = {name: one[name].iloc[0] for name in ("expected_rho", "expected_low", "expected_high")}
            rhos = {"n": scored.n, "rho": spearman(one["cosine"], change).rho, "forecast_rho": scored.rho}
            before = {"before_training": bool(one["before_training"].iloc[0])}
            rows.append(key | rhos | expected | {"top_ten": _both_in_top(one["forecast"], change)} | before)
    return pd.DataFrame(rows, columns=list(FORECASTS))


def _both_in_top(forecast: "pd.Series[float]", change: "pd.Series[float]") -> float:
    if len(change) < 2 * TOP or change.nunique() < 2:
        return NAN
    return len(set(forecast.nlargest(TOP).index) & set(change.nlargest(TOP).index))
