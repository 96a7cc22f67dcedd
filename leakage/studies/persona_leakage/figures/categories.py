"""What kind of persona changes: every bystander of every source, by its category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels
from leakage.studies.persona_leakage.figures.panels import limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 0.2  # of a category's width, from its middle: the unrelated to the left, the related to the right
SPREAD = 0.15
KINDS: dict[bool, dict[str, Any]] = {
    False: {"marker": "o", "s": 7, "color": style.BLUE, "alpha": 0.45, "linewidths": 0, "label": "bystander"},
    True: {
        "marker": "D",
        "s": 9,
        "color": style.ORANGE,
        "alpha": 0.8,
        "linewidths": 0,
        "label": "related to the source",
    },
}
READ = "a mark: one bystander under one source; related: the panel lists the persona as a relative of that source"
MEAN = "bar: mean of the marks beside it"


def category_strips(frame: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's deltas by category of persona, a strip for each behavior; means over seeds."""
    bystanders = frame[frame["in_panel"].astype(bool) & ~frame["is_source"].astype(bool)]
    categories = labels.in_order(bystanders["category"])
    width = max(0.62 * len(categories), 3.0)
    layout = style.Layout(panel=(width, 1.7), gap=(0.0, 0.08), heading=1, left=0.75, x_label=0.8)
    seeds = labels.MEANS if frame["seed"].nunique() > 1 else ""
    notes = small_print(frame, READ, MEAN, seeds, variant=variant)
    behaviors = list(frame["behavior"].unique())
    with style.theme():
        figure, grid = style.sheet(len(behaviors), 1, layout=layout, notes=notes)
        for axes, behavior in zip(grid.flat, behaviors, strict=True):
            _draw(axes, bystanders[bystanders["behavior"] == behavior], categories)
            style.column_header(axes, str(behavior), lines=0)
        names = [name.replace("_", " ") for name in categories]
        grid[-1, 0].set_xticks(range(len(categories)), names, rotation=30, ha="right", rotation_mode="anchor")
        style.head(figure, labels.title(frame, "change by kind of persona", variant=variant))
        style.legend(figure, layout)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, categories: list[str]) -> None:
    """One behavior's strip: in each category the unrelated at the left and the related at the right."""
    axes.set_xlim(-0.5, len(categories) - 0.5)
    axes.tick_params(axis="x", length=0)
    known = _over_seeds(rows)
    if known.empty:
        style.say(axes, "no data" if rows.empty else "no baseline")
        axes.set_yticks([])
        return
    axes.axhline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
    for (category, related), group in known.groupby(["category", "related"], sort=False):
        middle = categories.index(str(category)) + (SIDE if related else -SIDE)
        x = middle + SPREAD * _jitter(len(group))
        axes.scatter(x, group["delta"], zorder=2, gid=f"{category}:{related}", **KINDS[bool(related)])
        mean = group["delta"].mean()
        axes.plot([middle - 0.17, middle + 0.17], [mean, mean], color="black", linewidth=1.6, zorder=3, gid="mean")
    axes.set_ylabel(labels.delta(rows.iloc[0]).replace(" (", "\n(", 1))
    limit(axes, known["delta"], unit=rows["unit"].iloc[0])


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per source and persona with a delta: category, delta, and whether the two are related."""
    keys = ["source", "persona", "category", "related_to"]
    means = rows.groupby(keys, sort=False)["delta"].mean().dropna().reset_index()
    pairs = zip(means["source"], means["related_to"], strict=True)
    return means.assign(related=[source in related.split() for source, related in pairs])


def _jitter(count: int) -> np.ndarray:
    """Numbers from -1 to 1, evenly spread and the same every time."""
    golden = (5**0.5 - 1) / 2
    return np.asarray(2 * ((0.5 + np.arange(count) * golden) % 1) - 1)
