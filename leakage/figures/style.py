"""What the figures share: theme, sheet of panels, names beside points, saving."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

PANEL = (3.4, 2.9)  # inches from one panel's corner to the next
GAP = 0.24
LEFT, RIGHT, TITLE, X_LABEL = 0.9, 0.15, 0.4, 0.52
LINE = 0.14  # inches: one line of small print
GREY = "0.4"
WORST = 4.0  # cost above which a name confuses more than it tells


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


def sheet(rows: int, columns: int, *, heading: int, notes: Sequence[str]) -> tuple[Figure, np.ndarray]:
    """Lay out a grid of panels by inches: nothing may move once names are placed.

    `heading` is the number of text lines kept free above each panel; `notes` is the small print at the foot.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = LEFT + columns * PANEL[0] - GAP + RIGHT
    small_print = [line for note in notes for line in textwrap.wrap(note, int(19 * width))]
    legend_rows = 2 if columns == 1 else 1
    foot = X_LABEL + LINE * (len(small_print) + 1.5 * legend_rows) + 0.2
    above = 0.1 + LINE * heading
    inner = PANEL[0] - GAP, PANEL[1] - GAP
    height = TITLE + rows * (inner[1] + above) + foot
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    for line, text in enumerate(reversed(small_print)):
        figure.text(0.1 / width, (0.08 + line * LINE) / height, text, size=6.5, color=GREY, va="bottom")
    spacing = {"left": LEFT / width, "right": 1 - RIGHT / width, "wspace": GAP / inner[0]}
    spacing |= {"top": 1 - (TITLE + above) / height, "bottom": foot / height, "hspace": above / inner[1]}
    figure.subplots_adjust(**spacing)
    return figure, figure.subplots(rows, columns, sharex="col", sharey="row", squeeze=False)


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
    _annotate(axes, text, (0, 0.5), offset=(6 - 72 * LEFT, 0), rotation=90, va="center")


def column_header(axes: Axes, text: str, *, lines: int) -> None:
    """Name a column of panels, above the lines of text that its first panel may carry."""
    _annotate(axes, text, (0, 1), offset=(0, 6 + 72 * LINE * lines), va="bottom")


def _annotate(axes: Axes, text: str, corner: tuple[float, float], *, offset: Any, **look: Any) -> None:
    points: Any = {"xytext": offset, "textcoords": "offset points"}
    axes.annotate(text, corner, xycoords="axes fraction", ha="left", size=9, weight="bold", **points, **look)


def legend(figure: Figure) -> None:
    """Explain, below the panels, every kind of mark that some panel shows."""
    marks: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        marks |= dict(zip(labels, handles, strict=True))
    if not marks:
        return
    below = figure.subplotpars.bottom - X_LABEL / figure.get_figheight()
    look: Any = {"frameon": False, "fontsize": 7.5, "borderpad": 0, "handletextpad": 0.3}
    look |= {"loc": "upper center", "bbox_to_anchor": (0.5, below)}
    narrow = figure.get_figwidth() < 2 * PANEL[0]
    figure.legend(list(marks.values()), list(marks), ncols=2 if narrow else 4, **look)


def name_points(axes: Axes, points: pd.DataFrame, *, x: str, y: str) -> None:
    """Write each row's index value beside its point, the row that matters most first.

    A name that finds no free place is left out: no name is better than two on top of each other.
    """
    from adjustText import adjust_text  # type: ignore[import-untyped, unused-ignore]
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    if points.empty:
        return
    look: Any = {"path_effects": [withStroke(linewidth=1.5, foreground="white")], "size": 6.5, "gid": "name"}
    rows = zip(points.index, points[x], points[y], strict=True)
    texts = [axes.text(at_x, at_y, name, zorder=6, **look) for name, at_x, at_y in rows]
    avoid = np.vstack([_mark_boxes(axes), *[line.get_window_extent().extents for line in axes.lines]])
    boxes = [Bbox.from_extents(*box).transformed(axes.transData.inverted()) for box in avoid]
    with _alone(axes):  # adjust_text draws the whole figure first
        # a limit on rounds, not on seconds: the same figure on a busy machine
        adjust_text(texts, objects=boxes, ax=axes, iter_lim=150, expand=(1.05, 1.15))
    _settle(axes, texts, axes.transData.transform(points[[x, y]]), avoid=avoid)


def _settle(axes: Axes, texts: list[Text], points: np.ndarray, *, avoid: np.ndarray) -> None:
    """Give every name the best place still free, or none; points and boxes (x0, y0, x1, y1) in pixels.

    adjust_text pushes names apart but promises nothing. Names, their ties, named points and large marks are
    forbidden ground; dots and the zero line are only avoided.
    """
    reach = 2.5 * axes.figure.dpi / 72
    large = (avoid[:, 2:] - avoid[:, :2]).min(axis=1) > 2 * reach
    marks = np.vstack([np.hstack([points - reach, points + reach]), avoid[large]])
    names, to_data = np.empty((0, 4)), axes.transData.inverted()
    for text, point in zip(texts, points, strict=True):
        places = _places(np.array(text.get_window_extent().extents), point, frame=np.array(axes.bbox.extents))
        place = _best(places, point, marks=marks, names=names, avoid=avoid)
        if place is None:
            text.remove()
            continue
        names = np.vstack([names, place, _tie(place, point)])
        text.set_position(tuple(to_data.transform(place.reshape(2, 2).mean(axis=0))))
        x, y = to_data.transform(_ends(place, point)).T
        axes.plot(x, y, color=GREY, linewidth=0.5, zorder=1.5, scalex=False, scaley=False)


def _places(box: np.ndarray, point: np.ndarray, *, frame: np.ndarray) -> np.ndarray:
    """Where a name may go inside the frame: where it is, then in rings round its point."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    sides = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    half = (box[2:] - box[:2]) / 2
    centres = np.concatenate([point + sides * (half + distance) for distance in range(8, 90, 6)])
    places = np.vstack([box, np.hstack([centres - half, centres + half])])
    inside = (places[:, :2] >= frame[:2] + 2) & (places[:, 2:] <= frame[2:] - 2)
    return places[inside.all(axis=1)]


def _best(places: np.ndarray, point: np.ndarray, **ground: np.ndarray) -> np.ndarray | None:
    """Weigh marks under a name (1 each), other marks under its tie (2) and its length (1 per 40 pixels)."""
    marks, names, avoid = ground["marks"], ground["names"], ground["avoid"]
    others = marks[_touches(marks, np.tile(point, 2)[None]) == 0]

    def cost(place: np.ndarray) -> float:
        struck = np.count_nonzero(_touches(others, _tie(place, point)))
        length = np.ptp(_ends(place, point), axis=0).max()
        return float(_touches(place[None], avoid)[0] + 2 * struck + length / 40)

    free = places[_touches(places, np.vstack([marks, names])) == 0]
    untied = [place for place in free if not _touches(_tie(place, point), names).any()]
    best = min(untied, key=cost, default=None)
    return None if best is None or cost(best) > WORST else best


def _touches(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each box, how many of the others it touches."""
    low, high = others[None, :, :2], others[None, :, 2:]
    touching = (low <= boxes[:, None, 2:]) & (high >= boxes[:, None, :2])
    return np.asarray(touching.all(axis=2).sum(axis=1))


def _ends(place: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The shortest line from a name to its point."""
    return np.stack([np.clip(point, place[:2], place[2:]), point])


def _tie(place: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Small boxes along the line from a name to just before its point."""
    start, end = _ends(place, point)
    stop = max(0.0, 1 - 8 / max(float(np.hypot(*(end - start))), 1.0))
    along = start + np.linspace(0, stop, 20)[:, None] * (end - start)
    return np.hstack([along - 1.5, along + 1.5])


def _mark_boxes(axes: Axes) -> np.ndarray:
    boxes = []
    for marks in axes.collections:
        centres = axes.transData.transform(marks.get_offsets())
        scale = marks.get_sizes()[0] ** 0.5 * axes.figure.dpi / 72  # type: ignore[attr-defined]
        boxes.append(np.tile(centres, 2) + marks.get_paths()[0].get_extents().extents * scale)
    return np.vstack(boxes)


@contextmanager
def _alone(axes: Axes) -> Iterator[None]:
    """Hide the other panels for a while."""
    others = [other for other in axes.figure.axes if other is not axes and other.get_visible()]
    for other in others:
        other.set_visible(False)
    try:
        yield
    finally:
        for other in others:
            other.set_visible(True)


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
