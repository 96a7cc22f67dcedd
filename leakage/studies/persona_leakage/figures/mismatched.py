"""Is it the source's own cosine that predicts? Every source's cosine against every source's deltas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import stars
from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIELD = 0.52  # inches
READ = (
    "a field: Spearman's rho of the cosine to one source and the deltas under another, over personas that are no source"
)
MATCHED = "framed: a source's own cosine; if other fields of its column are as red, rho says little about this source"
STARS = "* p < .05, ** p < .01, *** p < .001; red: rho in the leak direction, blue: against it"
SEEDS = "several seeds: the mean of their rhos, without p"


def mismatched_matrices(table: pd.DataFrame, cells: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's rhos of every cosine with every delta, a matrix for each behavior.

    table: a row per behavior, seed, cosine_to and delta_of (`analysis.controls.mismatched`); cells: for the direction
    of leakage.
    """
    behaviors = list(table["behavior"].unique())
    directions = cells.groupby("behavior")["leak_direction"].first()
    largest = max(table.groupby("behavior")["delta_of"].nunique())
    columns = min(len(behaviors), 2)
    size = FIELD * largest
    layout = style.Layout(
        panel=(size, size), gap=(1.75, 1.2), heading=2, left=1.75, right=0.3, x_label=1.15, legend_rows=0
    )
    seeded = table["seed"].nunique() > 1
    notes = small_print(table, READ, MATCHED, STARS, SEEDS if seeded else "", variant=variant)
    with style.theme():
        figure, grid = style.sheet(-(-len(behaviors) // columns), columns, layout=layout, notes=notes, share=False)
        for axes, behavior in zip(grid.flat, behaviors, strict=False):
            rows = table[table["behavior"] == behavior]
            _draw(axes, rows, direction=int(directions[behavior]))
            style.column_header(axes, behavior, lines=1)
        for axes in grid.flat[len(behaviors) :]:
            axes.remove()
        style.head(figure, labels.title(table, "whose cosine predicts whose changes", variant=variant))
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, *, direction: int) -> None:
    """One behavior's matrix; its colours run to -1 and 1, so that they mean the same everywhere."""
    sources = list(rows["delta_of"].unique())
    rhos, ps = _wide(rows, "rho", sources), _wide(rows, "p", sources)
    if rows.duplicated(["cosine_to", "delta_of"]).any():
        ps[:] = np.nan  # a mean of rhos has none
    values = np.ma.masked_invalid(direction * rhos)
    axes.set_facecolor("0.9")
    axes.pcolormesh(values, cmap="RdBu_r", vmin=-1, vmax=1, edgecolors="white", linewidth=1, gid="rho")
    for row, column in np.ndindex(rhos.shape):
        _write(axes, (column, row), rhos.item(row, column), ps.item(row, column))
    for place in range(len(sources)):
        _outline(axes, place)
    axes.set(xlim=(0, len(sources)), ylim=(len(sources), 0), xlabel="deltas under", ylabel="cosine to")
    axes.set_xticks(np.arange(len(sources)) + 0.5, sources, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(sources)) + 0.5, sources)
    axes.tick_params(length=0)
    axes.set_title(f"leak = {'positive' if direction > 0 else 'negative'} rho", loc="left", size=8, gid="leak")


def _wide(rows: pd.DataFrame, what: str, sources: list[str]) -> np.ndarray:
    """Cosines down, deltas across."""
    wide = rows.pivot_table(index="cosine_to", columns="delta_of", values=what, dropna=False)
    return np.array(wide.reindex(index=sources, columns=sources), float)


def _write(axes: Axes, place: tuple[int, int], rho: float, p: float) -> None:
    text = "undefined" if rho != rho else f"{rho:+.2f}\n{stars(p)}"
    look: Any = {"ha": "center", "va": "center", "size": 5.5 if rho != rho else 7, "linespacing": 0.9, "gid": "field"}
    axes.text(place[0] + 0.5, place[1] + 0.5, text, color="white" if abs(rho) > 0.6 else "black", **look)


def _outline(axes: Axes, place: int) -> None:
    from matplotlib.patches import Rectangle

    corner = place + 0.05, place + 0.05
    axes.add_patch(Rectangle(corner, 0.9, 0.9, fill=False, edgecolor="black", linewidth=1.5, gid="matched"))
