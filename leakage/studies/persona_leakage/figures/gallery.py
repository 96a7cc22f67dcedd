"""All figures of a set of results."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from leakage.report.drawing import Drawing, file_name
from leakage.studies.persona_leakage.analysis import controls, outliers, race, seeds, tables, trajectory
from leakage.studies.persona_leakage.analysis.combination import fixed_columns

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def drawings(frame: pd.DataFrame, _multirun: Path | None = None) -> dict[str, Drawing]:
    """The name of each figure that the data give something to show in, and how to draw it.

    Each model, each variant of its settings, and each behavior that was taught where another was measured has its own;
    variants have the grid and the rhos only.
    """
    return {file_name(name): draw for name, draw in _drawings(frame)}


def _drawings(frame: pd.DataFrame) -> Iterator[tuple[str, Drawing]]:
    from leakage.studies.persona_leakage.figures.intervals import rho_intervals
    from leakage.studies.persona_leakage.figures.scatter import scatter_grid

    cells = tables.headline(frame)  # of everything: its q counts all cells of a model
    for (model, variant, taught), rows in frame.groupby(["model", "variant", _crossed(frame)], sort=False):
        own = cells[(cells["model"] == model) & (cells["variant"] == variant) & (_crossed(cells) == taught)]
        words = " ".join(filter(None, [f"taught={taught}" if taught else "", str(variant)]))
        suffix = f"-{words}" if words else ""
        yield f"{model}-scatter{suffix}", partial(scatter_grid, rows, own, variant=str(variant))
        yield f"{model}-rho{suffix}", partial(rho_intervals, own, variant=str(variant))
        if not suffix:
            yield from _of_plain_cells(str(model), rows, own)


def _crossed(table: pd.DataFrame) -> pd.Series[str]:
    """What was taught, where something else was measured."""
    return table["taught"].where(table["taught"] != table["behavior"], "")


def _of_plain_cells(model: str, rows: pd.DataFrame, cells: pd.DataFrame) -> Iterator[tuple[str, Drawing]]:
    from leakage.studies.persona_leakage.figures.categories import category_strips
    from leakage.studies.persona_leakage.figures.detail import source_detail
    from leakage.studies.persona_leakage.figures.heatmap import delta_heatmap
    from leakage.studies.persona_leakage.figures.layers import depths, rho_by_layer
    from leakage.studies.persona_leakage.figures.mismatched import mismatched_matrices
    from leakage.studies.persona_leakage.figures.seeds import seed_agreement
    from leakage.studies.persona_leakage.figures.trajectory import trajectories

    far = outliers.outliers(rows)
    for source, one in rows.groupby("source", sort=False):
        own = cells[cells["source"] == source], far[far["source"] == source]
        yield f"{model}-detail-{source}", partial(source_detail, one, *own)
    yield f"{model}-heatmap", partial(delta_heatmap, rows)
    yield f"{model}-categories", partial(category_strips, rows)
    if len(crossed := controls.mismatched(rows)):
        yield f"{model}-mismatched", partial(mismatched_matrices, crossed, cells)
    if len(pairs := seeds.seed_pairs(rows)):
        pairs["measure"] = pairs["behavior"].map(rows.groupby("behavior")["measure"].first())
        yield f"{model}-seeds", partial(seed_agreement, pairs, seeds.by_seed(rows))
    yield from _races(model, rows, cells)
    if any(trajectory.courses(rows)):
        yield f"{model}-trajectory", partial(trajectories, rows)
    layers = tables.by_layer(rows)
    if len(layers) and depths(layers).nunique() > 1:
        yield f"{model}-layers", partial(rho_by_layer, layers, cells)


def _races(model: str, rows: pd.DataFrame, cells: pd.DataFrame) -> Iterator[tuple[str, Drawing]]:
    """A race for each seed and judge, where there is more than the cosine."""
    from leakage.studies.persona_leakage.figures.predictors import predictor_race

    if len(fixed_columns(rows)) < 2:
        return
    ran = race.by_predictor(rows)
    for (seed, judge), one in ran.groupby(["seed", "judge"], sort=False):
        parts = [f"seed{seed}"] if ran["seed"].nunique() > 1 else []
        parts += [str(judge)] if ran["judge"].nunique() > 1 else []
        yield "-".join([model, "predictors", *parts]), partial(predictor_race, one, cells)
