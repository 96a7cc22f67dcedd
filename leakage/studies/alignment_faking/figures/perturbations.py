"""What makes a subject comply more: the gap of every subject under every scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leakage.report import style
from leakage.studies.alignment_faking.figures import rows
from leakage.studies.alignment_faking.metrics import LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, COLUMN = 0.24, 0.46  # inches
FEWEST = 5  # columns that the small print needs room for
SMALLEST = 0.1  # the scale's end at least: noise of a point or two must not look like a finding
DARK = 0.6  # of the scale: from here on letters are white
SCALE = (1.6, 0.09)  # inches
WHAT = "compliance gap under every scenario"
READ = (
    "* q < .05: McNemar's exact p after Benjamini-Hochberg over all gaps; several seeds: mean gap, * where it holds "
    "for each; grey and hatched: not measured",
)


def perturbation_matrix(table: pd.DataFrame) -> Figure:
    """Draw the table of gaps: subjects down, scenarios and their gaps across."""
    with style.theme():
        known = table[table["n"] > 0]
        if known.empty:
            return rows.empty(WHAT, "no gap is measured yet")
        fields = _fields(table)
        gaps = fields.pivot(index="name", columns="column", values="gap")
        gaps = gaps.reindex(index=fields["name"].unique(), columns=fields["column"].unique())
        sure = fields.pivot(index="name", columns="column", values="sure").reindex_like(gaps)
        figure, axes = _sheet(gaps, rows.notes(table, *READ))
        _draw(axes, gaps, sure.fillna(False).astype(bool))
        style.head(figure, rows.title(table, WHAT))
    return figure


def _fields(table: pd.DataFrame) -> pd.DataFrame:
    """name, column, gap and whether it is sure; seeds are taken together."""
    several = table.groupby("scenario")["gap_name"].transform("nunique") > 1
    column = table["scenario"] + (": " + table["gap_name"]).where(several, "")
    names = rows.names(table.assign(seed=0, eval_id=""), ["scenario", "gap_name"])
    sure = (table["q"] < LEVEL) & (table["n"] > 0)
    named = table.assign(column=column, name=names, sure=sure)
    each = named[named["n"] > 0].groupby(["name", "column"], sort=False)
    means = each.agg(gap=("gap", "mean"), sure=("sure", "all")).reset_index()
    return named[["name", "column"]].drop_duplicates().merge(means, on=["name", "column"], how="left")


def _sheet(gaps: pd.DataFrame, notes: list[str]) -> tuple[Figure, Axes]:
    left, above = rows.width(list(gaps.index)) + 0.25, rows.width(list(gaps.columns)) + style.TITLE + 0.2
    wide, high = COLUMN * len(gaps.columns), ROW * len(gaps)
    right = 0.2 + COLUMN * max(0, FEWEST - len(gaps.columns))
    width = left + wide + right
    small_print = style.wrapped(notes, width)
    foot = 0.75 + style.LINE * len(small_print)
    height = above + high + foot
    figure = style.blank(width, height, small_print)
    return figure, figure.add_axes((left / width, foot / height, wide / width, high / height))


def _draw(axes: Axes, gaps: pd.DataFrame, sure: pd.DataFrame) -> None:
    values = gaps.to_numpy(float)
    end = max(SMALLEST, float(np.nanmax(np.abs(values))))
    axes.set_facecolor("0.93")
    axes.patch.set(hatch="//////", edgecolor="0.75", linewidth=0)
    look: Any = {"cmap": "RdBu_r", "vmin": -end, "vmax": end, "edgecolors": "white", "linewidth": 0.5}
    image = axes.pcolormesh(np.ma.masked_invalid(values), gid="gaps", **look)
    for (row, column), gap in np.ndenumerate(values):
        if not np.isnan(gap):
            text = f"{gap:+.2f}".replace("0.", ".") + "*" * bool(sure.iloc[row, column])
            ink: Any = {"color": "white" if abs(gap) > DARK * end else "black", "size": 6.5, "gid": "gap"}
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", **ink)
    axes.set(xlim=(0, len(gaps.columns)), ylim=(len(gaps), 0))
    axes.set_yticks(np.arange(len(gaps)) + 0.5, gaps.index)
    axes.set_xticks(np.arange(len(gaps.columns)) + 0.5, gaps.columns, rotation=90)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    _scale(axes, image, end=end)


def _scale(axes: Axes, image: Any, *, end: float) -> None:
    """The colours' meaning, below the matrix."""
    box, sheet = axes.get_position(), axes.figure.get_size_inches()  # type: ignore[union-attr]
    wide, high = SCALE[0] / (box.width * sheet[0]), SCALE[1] / (box.height * sheet[1])
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((0, -2.2 * high, wide, high)), orientation="horizontal")
    bar.set_ticks([-end, 0, end], labels=[f"{-end:+.2f}", "0", f"{end:+.2f}"], size=6)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(length=2, pad=1)
    bar.ax.set_xlabel("compliance gap (red: more in training)", size=6.5, labelpad=1, loc="left")
