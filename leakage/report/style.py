"""What the figures share: theme, sheet of panels, headings, legend, saving."""

from __future__ import annotations

import logging
import math
import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE, X_LABEL = 0.4, 0.52  # inches, as are all lengths here
LINE = 0.14  # of small print
GREY = "0.4"
# C0, C1, C3 of the theme, for artists that resolve a colour only when they are drawn, when the theme is over
BLUE, ORANGE, RED = "#0173b2", "#de8f05", "#d55e00"
Sheet: TypeAlias = "tuple[Figure, np.ndarray]"


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the project's look; global settings are as before once the block ends.

    Colours C0 to C9 are then seaborn's ten that colour-blind readers can tell apart.
    """
    import matplotlib
    import seaborn as sns  # type: ignore[import-untyped, unused-ignore]
    from cycler import cycler

    look: dict[Any, Any] = {**sns.plotting_context("paper"), **sns.axes_style("ticks")}
    look |= {"axes.prop_cycle": cycler(color=sns.color_palette("colorblind"))}
    look |= {"axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7}
    # DejaVu comes with matplotlib: text has the same width, so names lie the same, on every machine
    look |= {"font.sans-serif": ["DejaVu Sans"], "axes.formatter.useoffset": False}
    with matplotlib.rc_context(look):
        yield


@dataclass(frozen=True)
class Layout:
    """A grid of panels in inches, fixed beforehand: nothing may move once names are placed.

    panel: width and height of one; gap: between two, across and down; heading: lines of text kept free above each, in
    addition to the gap; left, right and x_label: room for what is written there.
    """

    panel: tuple[float, float] = (3.16, 2.66)
    gap: tuple[float, float] = (0.24, 0.0)
    heading: int = 1
    left: float = 0.9
    right: float = 0.15
    x_label: float = X_LABEL
    legend_rows: int = 1

    def width(self, columns: int) -> float:
        """The sheet's."""
        return self.left + columns * (self.panel[0] + self.gap[0]) - self.gap[0] + self.right


def sheet(rows: int, columns: int, *, layout: Layout, notes: Sequence[str], share: bool = True) -> Sheet:
    """A figure and its panels, which share axes along columns and rows, or none; `notes` is the small print."""
    width, above = layout.width(columns), 0.1 + LINE * layout.heading
    small_print = wrapped(notes, width)
    foot = layout.x_label + LINE * (len(small_print) + 1.5 * layout.legend_rows) + 0.2
    height = TITLE + rows * (layout.panel[1] + above) + (rows - 1) * layout.gap[1] + foot
    figure = blank(width, height, small_print)
    spacing = {"left": layout.left / width, "right": 1 - layout.right / width, "bottom": foot / height}
    spacing |= {"top": 1 - (TITLE + above) / height}
    spacing |= {"wspace": layout.gap[0] / layout.panel[0], "hspace": (above + layout.gap[1]) / layout.panel[1]}
    figure.subplots_adjust(**spacing)
    sharing: Any = {"sharex": "col", "sharey": "row"} if share else {}
    return figure, figure.subplots(rows, columns, squeeze=False, **sharing)


def wrapped(notes: Sequence[str], width: float) -> list[str]:
    """Notes as lines of small print that fit a sheet of that width."""
    return [line for note in notes for line in textwrap.wrap(note, int(19 * width))]


def blank(width: float, height: float, small_print: Sequence[str]) -> Figure:
    """A figure that can tell the size of its text, with nothing on it but the small print at the foot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    for line, text in enumerate(reversed(small_print)):
        figure.text(0.1 / width, (0.08 + line * LINE) / height, text, size=6.5, color=GREY, va="bottom")
    return figure


def say(axes: Axes, reason: str) -> None:
    """Write into an empty panel why it is empty."""
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=GREY, gid="reason")


def head(figure: Figure, title: str) -> None:
    """Write the title at the top left, smaller where the sheet is narrow."""
    width, height = figure.get_size_inches()
    size = 10.0
    text = figure.text(0.1 / width, 1 - 0.1 / height, title, size=size, weight="bold", va="top")
    # step by step: hinted text does not shrink in proportion to its size
    while text.get_window_extent().x1 > (width - 0.1) * figure.dpi and size > 5:
        size -= 0.5
        text.set_fontsize(size)


def row_header(axes: Axes, text: str) -> None:
    """Name a row of panels at the left edge of the sheet."""
    start = axes.figure.subplotpars.left * axes.figure.get_figwidth()  # type: ignore[union-attr]
    _annotate(axes, text, (0, 0.5), offset=(6 - 72 * start, 0), rotation=90, va="center")


def column_header(axes: Axes, text: str, *, lines: int) -> None:
    """Name a column of panels, above the lines of text that its first panel may carry."""
    _annotate(axes, text, (0, 1), offset=(0, 6 + 72 * LINE * lines), va="bottom")


def _annotate(axes: Axes, text: str, corner: tuple[float, float], *, offset: Any, **look: Any) -> None:
    points: Any = {"xytext": offset, "textcoords": "offset points"}
    axes.annotate(text, corner, xycoords="axes fraction", ha="left", size=9, weight="bold", **points, **look)


def legend(figure: Figure, layout: Layout) -> None:
    """Explain, below the panels, every kind of mark that some panel shows."""
    marks: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        marks |= dict(zip(labels, handles, strict=True))
    if not marks:
        return
    below = figure.subplotpars.bottom - layout.x_label / figure.get_figheight()
    look: Any = {"frameon": False, "fontsize": 7.5, "borderpad": 0, "handletextpad": 0.3, "labelspacing": 0.8}
    look |= {"loc": "upper center", "bbox_to_anchor": (0.5, below)}
    figure.legend(list(marks.values()), list(marks), ncols=math.ceil(len(marks) / layout.legend_rows), **look)


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.png (150 dpi) and NAME.pdf whole or not at all; the same figure gives the same bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    _write(figure, png, metadata={"Software": None})
    _write(figure, pdf, metadata={"CreationDate": None})
    return png, pdf


def _write(figure: Figure, path: Path, *, metadata: dict[str, Any]) -> None:
    import matplotlib

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every glyph of every font it cuts
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # fonttype 42: journals ask for outlines that are not Type 3
        with part.open("wb") as out, matplotlib.rc_context({"pdf.fonttype": 42}):
            figure.savefig(out, format=path.suffix[1:], dpi=150, metadata=metadata)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
