"""Who leaks: each persona's change against its similarity to the source, one panel a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels
from leakage.studies.persona_leakage.figures.names import name_points
from leakage.studies.persona_leakage.figures.panels import Panel, draw, largest, limit, panels, similarity

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

NAMED = 5
SEEDS = "several seeds: a mark is a persona's mean over them, a rho belongs to one, a ring was trained under one"
MIXED = "rho lines that name train_id/eval_id: cells with different settings, averaged in the marks"


def scatter_grid(frame: pd.DataFrame, cells: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's grid, behaviors down and sources across, a mark for each persona.

    variant: how the settings of these cells differ from the usual ones, for the small print. Marks are means over
    seeds while rho is given seed by seed: a rho of means hides how far seeds disagree.
    """
    title = labels.title(pd.concat([cells, frame]), "leakage against similarity to the source", variant=variant)
    rows = panels(frame, cells)
    everyone = [panel for row in rows for panel in row]
    heading = 1 + max(len(panel.rho_lines()) for panel in everyone)
    layout = style.Layout(heading=heading, legend_rows=2 if len(rows[0]) == 1 else 1)
    with style.theme():
        figure, grid = style.sheet(len(rows), len(rows[0]), layout=layout, notes=_notes(cells, variant))
        for axes, panel in zip(grid.flat, everyone, strict=True):
            draw(axes, panel)
        _label_rows(grid, rows, frame)
        _label_columns(grid, rows, frame, lines=heading - 1)
        # last: limits are shared, so a later panel can still move an earlier one's points
        for axes, panel in zip(grid.flat, everyone, strict=True):
            name_points(axes, largest(panel)[:NAMED], x="cosine", y="delta")
        style.head(figure, title)
        style.legend(figure, layout)
    return figure


def _label_rows(grid: np.ndarray, rows: list[list[Panel]], frame: pd.DataFrame) -> None:
    for axes, row in zip(grid[:, 0], rows, strict=True):
        style.row_header(axes, row[0].behavior)
        of_behavior = frame[frame["behavior"] == row[0].behavior]
        if len(of_behavior):
            axes.set_ylabel(labels.delta(of_behavior.iloc[0]))
            limit(axes, pd.concat([panel.drawn["delta"] for panel in row]), unit=of_behavior.iloc[0]["unit"])


def _label_columns(grid: np.ndarray, rows: list[list[Panel]], frame: pd.DataFrame, *, lines: int) -> None:
    for index, column in enumerate(zip(*rows, strict=True)):
        source = column[0].source
        of_source = frame[frame["source"] == source]
        style.column_header(grid[0, index], f"source: {source}" if source else "", lines=lines)
        if len(of_source):
            grid[-1, index].set_xlabel(similarity(source, of_source["headline"].iloc[0]))
        if all(panel.missing for panel in column):
            grid[-1, index].set_xticks([])


def _notes(cells: pd.DataFrame, variant: str) -> list[str]:
    seeds = SEEDS if cells["seed"].nunique() > 1 else ""
    mixed = MIXED if cells.duplicated(["behavior", "source", "seed"]).any() else ""
    return small_print(cells, labels.RHO, seeds, mixed, variant=variant)
