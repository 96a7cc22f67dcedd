"""What the figures with a line for each subject share: where the lines lie and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NARROW = 1.4  # inches for names at least: a block's heading starts there
LONG = 60  # letters of a name
SIZE = 7  # of names, in points
HEADING, APART = 1.1, 0.5  # lines that a heading takes, and that are free above it
Heads: TypeAlias = "dict[tuple[str, ...], float]"
TELL = (("seed", "seed "), ("judge", ""), ("variant", ""), ("eval_id", ""))  # apart, subjects of one name


def places(table: pd.DataFrame, keys: list[str], *, line: Sequence[float]) -> tuple[pd.Series[float], Heads]:
    """The line of each row and of each block's heading, from the top; a block is what shares the keys.

    line: how many lines a row takes, one for each row of the table
    """
    heads: Heads = {}
    lines = pd.Series(0.0, index=table.index)
    sizes = pd.Series(list(line), index=table.index, dtype=float)
    at = 0.0
    for key, rows in table.groupby(keys, sort=False):
        heads[tuple(map(str, key))] = at
        own = sizes[rows.index]
        lines[rows.index] = at + HEADING + own.cumsum() - own
        at += HEADING + own.sum() + APART
    return lines, heads


def names(table: pd.DataFrame, keys: list[str]) -> list[str]:
    """Each row's subject, and what alone tells it from another of its name among those that share the keys."""
    subjects = table["subject"].astype(str)
    for column, word in TELL:
        mixed = pd.concat([table[keys], subjects.rename("name")], axis=1).duplicated(keep=False)
        several = table.groupby(["subject", *keys])[column].transform("nunique") > 1
        subjects = subjects + (", " + word + table[column].astype(str)).where(mixed & several, "")
    return [name if len(name) <= LONG else name[: LONG - 1] + "\N{HORIZONTAL ELLIPSIS}" for name in subjects]


def width(words: Sequence[str]) -> float:
    """Inches that the longest of them takes as a tick label."""
    from matplotlib.textpath import TextPath

    return float(max(TextPath((0, 0), word or " ", size=SIZE).get_extents().x1 for word in words)) / 72


def bare(axes: Axes) -> None:
    """Leave only the axis below, and fine lines up from its ticks: a block's heading runs on through the panel."""
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)


def heading(axes: Axes, top: float, words: str, *, left: float) -> None:
    """Name a block, from the left edge of the sheet; left: inches to the panel."""
    look: Any = {"size": 8, "weight": "bold", "va": "center", "gid": "block", "annotation_clip": False}
    look |= {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}, "zorder": 5}
    axes.annotate(
        words, (0, top), (-72 * left + 8, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", **look
    )


def notes(table: pd.DataFrame, *lines: str) -> list[str]:
    """The small print, with the judge and the settings where all rows have the same."""
    judges, variants = table["judge"].unique(), table["variant"].unique()
    judge = f"judge: {judges[0]}" if len(judges) == 1 else ""
    return small_print(table, *lines, judge, variant=variants[0] if len(variants) == 1 else "")


def title(table: pd.DataFrame, what: str) -> str:
    """The subject, where there is one only, and what is shown."""
    subjects = table["subject"].unique()
    return f"{subjects[0]}: {what}" if len(subjects) == 1 else what


def empty(what: str, reason: str) -> Figure:
    """A sheet that says why there is nothing on it."""
    layout = style.Layout(panel=(4.2, 1.2), heading=0, left=0.3)
    figure, ((axes,),) = style.sheet(1, 1, layout=layout, notes=())
    axes.set(xticks=[], yticks=[])
    style.say(axes, reason)
    style.head(figure, what)
    return figure
