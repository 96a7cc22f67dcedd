"""How sure is each rho: a forest of the cells' correlations with their intervals."""

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

ROW = 0.2  # inches
BELOW = 0.3  # of a row: a partial rho is often so close to its rho that it would hide it
# shape tells findings apart in black and white
FINDINGS: dict[str, dict[str, Any]] = {
    "leaks": {"marker": "o", "color": style.RED, "label": "leaks: q < .05 in the leak direction"},
    "not specific": {
        "marker": "D",
        "color": style.ORANGE,
        "label": "not specific: so too, but partial rho is not significant",
    },
    "against": {"marker": "s", "color": style.BLUE, "label": "against: q < .05 in the other direction"},
    "no gradient": {"marker": "v", "color": style.GREY, "label": "no gradient: q >= .05"},
}
CEILING: dict[str, Any] = {"marker": "|", "color": "black", "s": 40, "linewidths": 1.0}
PARTIAL: dict[str, Any] = {"marker": "o", "facecolors": "white", "edgecolors": "black", "s": 16, "linewidths": 0.8}
READ = "mark: Spearman's rho over bystanders, with its 95 % bootstrap interval; q: Benjamini-Hochberg over its family"
ABOVE = "upright: noise ceiling, the largest rho that anything can have with deltas of so few answers"
GIVEN = "ring: partial rho given the mean delta under the other sources, over personas that are no source"


def rho_intervals(cells: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's headline table, a line for each cell, grouped by behavior."""
    places, heads = _places(cells)
    last = max([*places, *heads.values()], default=0)
    size = (4.2, ROW * (last + 1.2))
    layout = style.Layout(panel=size, heading=0, left=2.0, right=2.0, x_label=0.45, legend_rows=_legend_rows(cells))
    limits = ABOVE if cells["ceiling"].notna().any() else "", GIVEN if cells["partial_rho"].notna().any() else ""
    notes = small_print(cells, READ, *limits, variant=variant)
    with style.theme():
        figure, ((axes,),) = style.sheet(1, 1, layout=layout, notes=notes)
        axes.set(
            xlim=(-1, 1),
            xticks=[-1, -0.5, 0, 0.5, 1],
            ylim=(last + 0.6, -0.6),
            xlabel="Spearman's rho of delta and cosine to the source",
        )
        axes.axvline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
        axes.set_yticks(places, _names(cells))
        axes.tick_params(axis="y", length=0)
        for behavior, top in heads.items():
            _head(axes, behavior, cells[cells["behavior"] == behavior], top=top)
        _marks(axes, cells.assign(y=places))
        style.head(figure, labels.title(cells, "how sure each rho is", variant=variant))
        style.legend(figure, layout)
    return figure


def _legend_rows(cells: pd.DataFrame) -> int:
    """Two entries a row."""
    entries = int(cells.loc[cells["rho"].notna(), "finding"].nunique())
    entries += sum(bool(cells[name].notna().any()) for name in ("partial_rho", "ceiling"))
    return max(1, -(-entries // 2))


def _places(cells: pd.DataFrame) -> tuple[list[float], dict[str, float]]:
    """The line of each cell, in the table's order, and of each behavior's heading."""
    heads: dict[str, float] = {}
    places = pd.Series(0.0, index=cells.index)
    line = 0.0
    for behavior, rows in cells.groupby("behavior", sort=False):
        heads[str(behavior)] = line
        places[rows.index] = line + 1 + np.arange(len(rows))
        line += len(rows) + 1.4
    return places.tolist(), heads


def _names(cells: pd.DataFrame) -> list[str]:
    """Source, and the seed or the ids where those alone tell two cells apart."""
    keys = ["behavior", "source", "seed"]
    seeded, mixed = cells.duplicated(keys[:2], keep=False), cells.duplicated(keys, keep=False)
    ids = cells["train_id"].str[:6] + "/" + cells["eval_id"].str[:6]
    seeds = ", seed " + cells["seed"].astype(str)
    return list(cells["source"] + seeds.where(seeded, "") + (" " + ids).where(mixed, ""))


def _head(axes: Axes, behavior: str, rows: pd.DataFrame, *, top: float) -> None:
    """Name a behavior and shade the side on which its rhos mean leakage."""
    right = bool(rows["leak_direction"].iloc[0] > 0)
    low, high = (0, 1) if right else (-1, 0)
    axes.fill_between(
        [low, high], top - 0.45, top + len(rows) + 0.5, color=style.ORANGE, alpha=0.12, linewidth=0, zorder=0
    )
    arrow = "leak \N{RIGHTWARDS ARROW}" if right else "\N{LEFTWARDS ARROW} leak"
    look: Any = {"size": 7, "va": "center", "color": style.GREY, "gid": "leak"}
    axes.text(0.97 if right else -0.97, top + 0.05, arrow, ha="right" if right else "left", **look)
    line = axes.get_yaxis_transform()
    axes.text(-0.02, top, behavior, transform=line, ha="right", va="center", size=9, weight="bold")


def _marks(axes: Axes, cells: pd.DataFrame) -> None:
    """Each finding's rhos with their intervals, partial rhos on top, and the numbers at the right."""
    for finding, look in FINDINGS.items():
        rows = cells[(cells["finding"] == finding) & cells["rho"].notna()]
        if rows.empty:
            continue
        colour = look["color"]
        axes.hlines(rows["y"], rows["rho_low"], rows["rho_high"], color=colour, linewidth=1.6, zorder=2)
        axes.scatter(rows["rho"], rows["y"], s=34, linewidths=0, zorder=3, gid=finding, **look)
    partial = cells[cells["partial_rho"].notna()]
    if len(partial):
        axes.scatter(
            partial["partial_rho"], partial["y"] + BELOW, zorder=4, gid="partial", label="partial rho", **PARTIAL
        )
    _ceilings(axes, cells[cells["ceiling"].notna() & cells["rho"].notna()])
    for row in cells.to_dict("records"):
        axes.text(1.02, row["y"], _numbers(row), transform=axes.get_yaxis_transform(), va="center", size=7, gid="rho")


def _ceilings(axes: Axes, cells: pd.DataFrame) -> None:
    """On the side of each rho the largest that could have been."""
    if len(cells):
        side = cells["ceiling"].where(cells["rho"] >= 0, -cells["ceiling"])
        axes.scatter(side, cells["y"], zorder=2, gid="ceiling", label="noise ceiling", **CEILING)


def _numbers(row: dict[Any, Any]) -> str:
    if pd.isna(row["rho"]):
        return f"undefined: {_why(row)}"
    reach = "no interval" if pd.isna(row["rho_low"]) else f"{row['rho_low']:+.2f} to {row['rho_high']:+.2f}"
    return f"{row['rho']:+.2f} ({reach}), n = {row['n']:.0f}"


def _why(row: dict[Any, Any]) -> str:
    if pd.isna(row["mean_bystander_delta"]):
        return "no deltas"
    return "one delta for all" if row["ties"] == 1 else "no geometry"
