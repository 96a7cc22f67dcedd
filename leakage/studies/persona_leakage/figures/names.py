"""Names beside points: on no other name, no large mark, no edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.report.style import GREY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.text import Text

ROUNDS = 40  # after these adjust_text has parted what it can part
WORST = 4.0  # cost above which a name confuses more than it tells
Boxes = np.ndarray  # a row each: x0, y0, x1, y1 in pixels


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
        adjust_text(texts, objects=boxes, ax=axes, iter_lim=ROUNDS, expand=(1.05, 1.15))
    _settle(axes, texts, axes.transData.transform(points[[x, y]]), avoid=avoid)


def _settle(axes: Axes, texts: list[Text], points: np.ndarray, *, avoid: Boxes) -> None:
    """Give every name the best place still free, or none.

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
        start = np.clip(point, place[:2], place[2:])
        names = np.vstack([names, place, _along(start, point)])
        text.set_position(tuple(to_data.transform(place.reshape(2, 2).mean(axis=0))))
        x, y = to_data.transform([start, point]).T
        axes.plot(x, y, color=GREY, linewidth=0.5, zorder=1.5, scalex=False, scaley=False)


def _places(box: np.ndarray, point: np.ndarray, *, frame: np.ndarray) -> Boxes:
    """Where a name may go inside the frame: where it is, then in rings round its point."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    sides = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    half = (box[2:] - box[:2]) / 2
    centres = np.concatenate([point + sides * (half + distance) for distance in range(8, 90, 6)])
    places = np.vstack([box, np.hstack([centres - half, centres + half])])
    inside = (places[:, :2] >= frame[:2] + 2) & (places[:, 2:] <= frame[2:] - 2)
    return places[inside.all(axis=1)]


def _best(places: Boxes, point: np.ndarray, *, marks: Boxes, names: Boxes, avoid: Boxes) -> np.ndarray | None:
    """The place of least cost: marks under the name (1 each), other marks under its tie (2), its length (1 per 40
    pixels)."""
    own = _touching(marks, np.tile(point, 2)[None]).any(axis=1)
    free = places[~_touching(places, np.vstack([marks, names])).any(axis=1)]
    starts = np.clip(point, free[:, :2], free[:, 2:])
    untied = ~_crossing(starts, point, names).any(axis=1)
    free, starts = free[untied], starts[untied]
    cost = _touching(free, avoid).sum(axis=1) + 2 * _crossing(starts, point, marks[~own]).sum(axis=1)
    cost = cost + np.abs(starts - point).max(axis=1, initial=0) / 40
    return free[cost.argmin()] if len(free) and cost.min() <= WORST else None


def _touching(boxes: Boxes, others: Boxes) -> np.ndarray:
    """Whether each box touches each of the others: (boxes, others)."""
    low, high = others[None, :, :2], others[None, :, 2:]
    return np.asarray(((low <= boxes[:, None, 2:]) & (high >= boxes[:, None, :2])).all(axis=2))


def _crossing(starts: np.ndarray, point: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Whether the tie from each start to just before the point crosses each box: (starts, boxes)."""
    tie = point - starts
    length = np.hypot(*tie.T)[:, None]
    tie = tie * np.maximum(0, 1 - 8 / np.maximum(length, 1))
    step = np.where(np.abs(tie) < 1e-9, 1e-9, tie)[:, None]
    into = (boxes[None, :, :2] - 1.5 - starts[:, None]) / step
    out = (boxes[None, :, 2:] + 1.5 - starts[:, None]) / step
    first, last = np.minimum(into, out).max(axis=2), np.maximum(into, out).min(axis=2)
    return np.asarray((first <= last) & (last >= 0) & (first <= 1))


def _along(start: np.ndarray, point: np.ndarray) -> Boxes:
    """Small boxes along a tie, for later names to keep off."""
    on = start + np.linspace(0, 1, 20)[:, None] * (point - start)
    return np.hstack([on - 1.5, on + 1.5])


def _mark_boxes(axes: Axes) -> Boxes:
    boxes = []
    for marks in axes.collections:
        centres = axes.transData.transform(np.asarray(marks.get_offsets()))
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
