"""One source in detail: its behaviors as large panels, rho with its interval, and many more names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels
from leakage.studies.persona_leakage.figures.names import name_points
from leakage.studies.persona_leakage.figures.panels import Panel, draw, largest, limit, panels, similarity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 16
PIECES = 6
READ = "named: first the outliers of the cell (far off the monotone fit of delta on cosine), then the largest changes"
GUIDE = "grey line: medians of six equal groups of bystanders by cosine, a guide to the eye"
INTERVAL = "95 %: bootstrap over bystanders"


def source_detail(frame: pd.DataFrame, cells: pd.DataFrame, outliers: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw the cells of one model and one source, a panel for each behavior.

    outliers: rows with behavior and persona, those farthest off first, which are named before the largest changes.
    """
    everyone = [row[0] for row in panels(frame, cells)]
    columns = 1 if len(everyone) == 1 else 2
    heading = max(1, *(len(panel.rho_lines()) for panel in everyone)) + 1
    layout = style.Layout(panel=(4.4, 3.5), gap=(0.7, 0.5), heading=heading, left=0.65, legend_rows=3 - columns)
    notes = small_print(cells, labels.RHO, INTERVAL, READ, GUIDE, _seeds(cells), variant=variant)
    with style.theme():
        rows = -(-len(everyone) // columns)
        figure, grid = style.sheet(rows, columns, layout=layout, notes=notes, share=False)
        for axes, panel in zip(grid.flat, everyone, strict=False):
            _draw(axes, panel, frame, lines=heading - 1)
            name_points(axes, _worth_naming(panel, outliers), x="cosine", y="delta")
        for axes in grid.flat[len(everyone) :]:
            axes.remove()
        style.head(figure, labels.title(cells, f"who changes when {everyone[0].source} is taught", variant=variant))
        style.legend(figure, layout)
    return figure


def _draw(axes: Axes, panel: Panel, frame: pd.DataFrame, *, lines: int) -> None:
    draw(axes, panel, size=1.5, interval=True)
    style.column_header(axes, panel.behavior, lines=lines)
    rows = frame[frame["behavior"] == panel.behavior]
    if rows.empty:
        return
    axes.set_xlabel(similarity(panel.source, rows["headline"].iloc[0]))
    axes.set_ylabel(labels.delta(rows.iloc[0]))
    limit(axes, panel.drawn["delta"], unit=rows["unit"].iloc[0])
    if not panel.missing:
        x, y = _guide(panel.bystanders)
        axes.plot(x, y, color=style.GREY, linewidth=1.2, alpha=0.6, zorder=1.2, gid="guide")
    else:
        axes.set_xticks([])


def _guide(points: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Median cosine and delta of PIECES groups of equal size; a straight line would promise more than ranks tell."""
    ordered = points.sort_values("cosine", kind="stable")
    groups = [ordered.iloc[rows] for rows in np.array_split(np.arange(len(ordered)), PIECES) if len(rows)]
    return [one["cosine"].median() for one in groups], [one["delta"].median() for one in groups]


def _worth_naming(panel: Panel, outliers: pd.DataFrame) -> pd.DataFrame:
    """Outliers first, then those that changed most."""
    far = outliers.loc[outliers["behavior"] == panel.behavior, "persona"]
    bystanders = panel.bystanders
    order = dict.fromkeys([*far[: NAMED // 2], *largest(panel).index, *far])
    return bystanders.loc[[name for name in order if name in bystanders.index][:NAMED]]


def _seeds(cells: pd.DataFrame) -> str:
    return labels.MEANS if cells["seed"].nunique() > 1 else ""
