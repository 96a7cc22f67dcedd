"""At which depth does similarity predict: rho against the block whose hidden states the cosine is of."""

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

KINDS: dict[str, dict[str, Any]] = {
    "raw": {"color": style.ORANGE, "linestyle": "--", "marker": "s"},
    "centred": {"color": style.BLUE, "linestyle": "-", "marker": "o"},
}
READ = "thin: one source, mean over its seeds; thick: mean over sources; every bystander counts"
FIXED = "ringed: the definition that was fixed for headlines before any result was looked at"
CARE = "exploratory: the best of many depths and definitions looks better than it is; choose none by this figure"


def rho_by_layer(table: pd.DataFrame, cells: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's rhos under every cosine that was measured, a panel for each behavior.

    table: a row per cell and cosine, named <block>_<raw|centred> (`analysis.tables.by_layer`); cells: the headline
    table, for the direction of leakage.
    """
    rows = table.assign(depth=depths(table), kind=table["cosine"].str.split("_").str[1])
    behaviors = list(rows["behavior"].unique())
    directions = cells.groupby("behavior")["leak_direction"].first()
    layout = style.Layout(panel=(2.9, 2.2), heading=1, left=0.65, gap=(0.2, 0.1), legend_rows=1)
    columns = min(len(behaviors), 2)
    with style.theme():
        notes = small_print(table, READ, FIXED, CARE, variant=variant)
        figure, grid = style.sheet(-(-len(behaviors) // columns), columns, layout=layout, notes=notes)
        for axes, behavior in zip(grid.flat, behaviors, strict=False):
            _draw(axes, rows[rows["behavior"] == behavior], direction=int(directions[behavior]))
            style.column_header(axes, str(behavior), lines=0)
        for axes in grid.flat[len(behaviors) :]:
            axes.remove()
        _label(grid, rows["depth"])
        style.head(figure, labels.title(cells, "rho by depth (exploratory)", variant=variant))
        style.legend(figure, layout)
    return figure


def depths(table: pd.DataFrame) -> pd.Series[int]:
    """The block of each row's cosine."""
    return table["cosine"].str.split("_").str[0].astype(int)


def _draw(axes: Axes, rows: pd.DataFrame, *, direction: int) -> None:
    """One behavior: the sources' lines, their mean, and a ring around the definition of the headline."""
    _shade_leak(axes, direction)
    axes.axhline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
    for kind, look in KINDS.items():
        known = rows[(rows["kind"] == kind) & rows["rho"].notna()]
        if known.empty:
            continue
        for _, one in known.groupby("source"):
            means = one.groupby("depth")["rho"].mean()
            axes.plot(means.index, means, linewidth=0.7, alpha=0.4, color=look["color"], linestyle=look["linestyle"])
        sources = known.groupby(["depth", "source"])["rho"].mean().groupby("depth").mean()
        axes.plot(sources.index, sources, linewidth=2, markersize=4, label=f"{kind} cosine", gid=kind, **look)
        fixed = known.loc[known["headline"], "depth"].unique()
        ring: Any = {"s": 110, "facecolors": "none", "edgecolors": "black", "zorder": 5, "gid": "headline"}
        axes.scatter(fixed, sources[fixed], label="headline" if len(fixed) else None, **ring)
    if rows["rho"].isna().all():
        style.say(axes, "no rho at any depth")


def _label(grid: np.ndarray, blocks: pd.Series[int]) -> None:
    ticks = sorted(blocks.unique())
    for axes in grid.flat:
        axes.set(ylim=(-1, 1), yticks=[-1, -0.5, 0, 0.5, 1], xlim=(ticks[0] - 0.5, ticks[-1] + 0.5))
        axes.set_xticks(ticks[:: max(1, len(ticks) // 8)])
    for axes in grid[-1]:
        axes.set_xlabel("block of the base model")
    for axes in grid[:, 0]:
        axes.set_ylabel("Spearman's rho, mean over sources")


def _shade_leak(axes: Axes, direction: int) -> None:
    """Shade and name the half of an upright axis of rhos that means leakage."""
    low, high = (0, 1) if direction > 0 else (-1, 0)
    axes.axhspan(low, high, color=style.ORANGE, alpha=0.12, linewidth=0, zorder=0)
    up = direction > 0
    look: Any = {"transform": axes.get_yaxis_transform(), "size": 7, "color": style.GREY, "gid": "leak"}
    axes.text(0.02, 0.97 * (high if up else low), "leak", va="top" if up else "bottom", **look)
