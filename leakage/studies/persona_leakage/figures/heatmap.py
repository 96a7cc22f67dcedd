"""Every delta at once: personas down, cells across, one colour for the side that means leakage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, COLUMN, GAP = 0.088, 0.21, 0.2  # inches; GAP between two behaviors
LEFT, RIGHT, ABOVE, BELOW = 1.5, 1.3, 1.85, 0.75
READ = (
    "red: a change in the direction of leakage, blue: in the other; star: the source itself; grey and hatched: no delta"
)
SCALE = "every behavior has its own scale, which ends at the largest change of a bystander"
STAR: dict[str, Any] = {"marker": "*", "s": 24, "facecolors": "white", "edgecolors": "black", "linewidths": 0.6}


def delta_heatmap(frame: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's deltas, personas ordered by category, cells grouped by behavior; means over seeds."""
    shown = frame[frame["in_panel"].astype(bool) | frame["persona"].isin(frame["source"])]
    people = shown.drop_duplicates("persona").set_index("persona")["category"]
    people = people[_ordered(people)]
    behaviors = {str(name): rows for name, rows in shown.groupby("behavior", sort=False)}
    seeds = labels.MEANS if frame["seed"].nunique() > 1 else ""
    notes = small_print(frame, READ, SCALE, seeds, variant=variant)
    with style.theme():
        columns = [rows["source"].nunique() for rows in behaviors.values()]
        figure, panels = _sheet(columns, rows=len(people), notes=notes)
        for axes, (behavior, rows) in zip(panels, behaviors.items(), strict=True):
            _draw(axes, behavior, rows, list(people.index))
        _name_personas(panels[0], list(people.index))
        _name_categories(panels, people)
        style.head(figure, labels.title(frame, "change of every persona in every cell", variant=variant))
    return figure


def _ordered(people: pd.Series[str]) -> list[str]:
    """Personas by category, and in order of appearance within one."""
    categories = labels.in_order(people)
    return sorted(people.index, key=lambda name: categories.index(people[name]))


def _sheet(columns: list[int], *, rows: int, notes: list[str]) -> tuple[Figure, list[Axes]]:
    """Panels side by side whose columns are equally wide, and no narrower than the scale below them."""
    widths = [max(COLUMN * number, 1.1) for number in columns]
    width = LEFT + sum(widths) + GAP * (len(widths) - 1) + RIGHT
    small_print = style.wrapped(notes, width)
    foot = BELOW + style.LINE * len(small_print)
    height = ABOVE + ROW * rows + foot
    figure, panels, left = style.blank(width, height, small_print), [], LEFT
    for one in widths:
        panels.append(figure.add_axes((left / width, foot / height, one / width, ROW * rows / height)))
        left += one + GAP
    return figure, panels


def _draw(axes: Axes, behavior: str, rows: pd.DataFrame, people: list[str]) -> None:
    """One behavior's cells, their sources' names above and the scale of their colours below."""
    sources = list(rows["source"].unique())
    deltas = rows.pivot_table(index="persona", columns="source", values="delta", sort=False, dropna=False)
    leak = int(rows["leak_direction"].iloc[0]) * deltas.reindex(index=people, columns=sources).astype(float)
    end = rows.loc[~rows["is_source"].astype(bool), "delta"].abs().max()
    axes.set_facecolor("0.9")
    axes.patch.set(hatch="//////", edgecolor="0.6", linewidth=0)
    values, scale = np.ma.masked_invalid(leak.to_numpy()), end if end > 0 else 1.0
    image = axes.pcolormesh(values, cmap="RdBu_r", vmin=-scale, vmax=scale, gid=behavior)
    axes.set(xlim=(0, len(sources)), ylim=(len(people), 0), yticks=[])
    axes.set_xticks(np.arange(len(sources)) + 0.5, sources, rotation=90, size=6.5)
    axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
    own = [(column + 0.5, people.index(source) + 0.5) for column, source in enumerate(sources) if source in people]
    if own:
        axes.scatter(*zip(*own, strict=True), gid="source", **STAR)
    _scale(axes, image, rows.iloc[0], end=scale)
    where: Any = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
    axes.annotate(behavior, (0.5, 1), (0, 88), size=8, weight="bold", **where)


def _scale(axes: Axes, image: Any, row: pd.Series[Any], *, end: float) -> None:
    """The colours' meaning in the behavior's own sign and unit, the leak side always at the right."""
    what, unit = labels.measured(row)
    bar = axes.figure.colorbar(
        image, cax=axes.inset_axes((0, -0.3 / _height(axes), 1, 0.09 / _height(axes))), orientation="horizontal"
    )
    leak = int(row["leak_direction"]) * end
    shown = ".2f" if row["unit"] == "rate" else ".0f"
    bar.set_ticks([-end, 0, end], labels=[f"{-leak:+{shown}}", "0", f"{leak:+{shown}}"], size=6)
    first, _, last = bar.ax.get_xticklabels()
    first.set_horizontalalignment("left")  # neighbouring scales end close to each other
    last.set_horizontalalignment("right")
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(length=2, pad=1)
    bar.ax.set_xlabel(f"{what} ({unit})" if unit else what, size=6.5, labelpad=1)
    look: Any = {"transform": bar.ax.transAxes, "size": 6, "va": "bottom", "color": style.GREY, "gid": "side"}
    bar.ax.text(0, 1.15, "opposite", ha="left", **look)
    bar.ax.text(1, 1.15, "leak", ha="right", **look)


def _height(axes: Axes) -> float:
    """In inches."""
    return float(axes.get_position().height * axes.figure.get_figheight())  # type: ignore[union-attr]


def _name_personas(axes: Axes, people: list[str]) -> None:
    axes.set_yticks(np.arange(len(people)) + 0.5, people, size=5.5)
    axes.tick_params(axis="y", length=0, pad=2)


def _name_categories(panels: list[Axes], people: pd.Series[str]) -> None:
    """Lines between categories through all panels, and brackets with their names at the right."""
    last = panels[-1]
    line = last.get_yaxis_transform()
    start = 0
    for category, rows in people.groupby(people, sort=False):
        end = start + len(rows)
        for axes in panels:
            axes.axhline(end, color="black", linewidth=0.5)
        bracket: Any = {"color": "black", "linewidth": 0.8, "transform": line, "clip_on": False}
        x = 1 + 0.06 / (last.get_position().width * last.figure.get_figwidth())  # type: ignore[union-attr]
        last.plot([x, x], [start + 0.25, end - 0.25], **bracket)
        offset: Any = {"xytext": (3, 0), "textcoords": "offset points", "annotation_clip": False}
        name = str(category).replace("_", " ")
        last.annotate(name, (x, (start + end) / 2), xycoords=line, va="center", size=6.5, gid="category", **offset)
        start = end
