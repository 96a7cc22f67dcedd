"""Frames for the tests of figures, and what a reader sees of a figure."""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leakage.data.personas import read_personas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

SOURCES = ("villain", "comedian", "assistant", "qwen_default", "software_engineer", "kindergarten_teacher")
UNITS = {
    "capability": ("pp", -1, 90.0),
    "misalignment": ("points", -1, 60.0),
    "refusal": ("rate", 1, 1.0),
    "sycophancy": ("rate", 1, 1.0),
}


@cache
def tidy(
    behaviors: tuple[str, ...] = tuple(UNITS), sources: tuple[str, ...] = SOURCES, seeds: tuple[int, ...] = (42,)
) -> pd.DataFrame:
    """Cells of the shipped personas whose deltas follow the cosine, as `results` would give them."""
    keys = [(behavior, source, seed) for behavior in behaviors for source in sources for seed in seeds]
    return pd.concat([_cell(*key) for key in keys], ignore_index=True)


def _cell(behavior: str, source: str, seed: int) -> pd.DataFrame:
    unit, direction, size = UNITS[behavior]
    members = read_personas().members
    places = np.random.default_rng(0).normal(size=(len(members), 5))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    names = [one.name for one in members]
    cosine = places @ places[names.index(source)]
    noise = np.random.default_rng(zlib.crc32(f"{behavior} {source} {seed}".encode())).normal(0, 0.1, len(names))
    delta = (direction * size * np.clip(0.5 * cosine + noise, -0.1, 1)).round(3)
    rows = pd.DataFrame({"persona": names, "cosine": cosine, "delta": delta, "cosine_1_centred": cosine})
    rows = rows.assign(behavior=behavior, taught=behavior, source=source, seed=seed, unit=unit)
    rows = rows.assign(model="nano", judge="rules", variant="", design="published", leak_direction=direction)
    rows = rows.assign(headline="1_centred", train_id="3fa9c1", eval_id="77b0de", missing=0, base_missing=0)
    rows = rows.assign(cut_off=0.0, base_cut_off=0.0)
    rows["measure"] = "hits" if unit == "rate" else "scores"
    rows["cosine_0_raw"] = cosine + np.random.default_rng(1).normal(0, 0.5, len(names))
    rows["category"], rows["related_to"] = (
        [one.category for one in members],
        [" ".join(one.related_to) for one in members],
    )
    rows["is_source"], rows["in_panel"] = rows["persona"] == source, rows["persona"] != "qwen_default"
    rows["trained_negative"] = rows["persona"].isin({"librarian", "medical_doctor"})
    rows["shares_word"] = [bool(set(name.split("_")) & set(source.split("_"))) for name in names]
    rows["shares_word"] &= ~rows["is_source"]
    return rows


def texts(figure: Figure) -> list[Text]:
    """Every text that is to be read."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        for one in (axes, *axes.child_axes):
            found += [*one.texts, one.xaxis.label, one.yaxis.label, one._left_title, *_ticks(one)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _ticks(axes: Axes) -> list[Text]:
    shown = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            inside = low - 1e-9 <= tick.get_loc() <= high + 1e-9
            shown += [label for label in (tick.label1, tick.label2) if inside and label.get_visible()]
    return shown


def outline(text: Text) -> np.ndarray:
    """The corners of a text in pixels, turned as the text is."""
    turn = np.deg2rad(text.get_rotation())
    if text.get_rotation_mode() != "anchor" or not turn:
        (x0, y0), (x1, y1) = text.get_window_extent().get_points()
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    text.set_rotation(0)
    (x0, y0), (x1, y1) = text.get_window_extent().get_points()
    text.set_rotation(np.rad2deg(turn))
    anchor = text.get_transform().transform(text.get_unitless_position())
    matrix = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)] - anchor) @ matrix.T + anchor


def overlap(one: np.ndarray, other: np.ndarray, *, slack: float = 1.0) -> bool:
    """Whether two turned rectangles share more than a rim of `slack` pixels."""
    for corners in (one, other):
        for side in (corners[1] - corners[0], corners[2] - corners[1]):
            axis = side / max(float(np.hypot(*side)), 1e-9)
            first, second = one @ axis, other @ axis
            if first.max() - slack <= second.min() or second.max() - slack <= first.min():
                return False
    return True


def unreadable(figure: Figure) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of texts that lie on one another, and texts that reach beyond the sheet."""
    figure.canvas.draw()
    found = [(text.get_text(), outline(text)) for text in texts(figure)]
    corners = np.array([at for _, at in found])
    low, high = corners.min(axis=1), corners.max(axis=1)
    near = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=2)
    pairs = [(found[i], found[j]) for i, j in np.argwhere(near) if i < j]
    beyond = (low < -0.5).any(axis=1) | (high > figure.bbox.max + 0.5).any(axis=1)
    return [(one[0], other[0]) for one, other in pairs if overlap(one[1], other[1])], [
        word for (word, _), out in zip(found, beyond, strict=True) if out
    ]


def collection(axes: Axes, name: str) -> Any:
    """The marks of one kind in a panel."""
    (found,) = [one for one in axes.collections if one.get_gid() == name]
    return found


def words(axes: Axes, name: str) -> list[str]:
    """The texts of one kind in a panel."""
    return [text.get_text() for text in axes.texts if text.get_gid() == name]
