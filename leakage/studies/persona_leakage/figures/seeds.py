"""Does it replicate: each bystander's change under one seed against its change under another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

APART = 3  # so many pairs of seeds can be told apart in one panel
MARKS: list[dict[str, Any]] = [
    {"marker": "o", "s": 9, "facecolors": style.BLUE, "alpha": 0.6, "linewidths": 0},
    {"marker": "D", "s": 8, "facecolors": style.ORANGE, "alpha": 0.6, "linewidths": 0},
    {"marker": "^", "s": 10, "facecolors": "black", "alpha": 0.5, "linewidths": 0},
]
READ = "a mark: one bystander; on the dashed line it changed alike under both seeds; rho: Spearman of the two changes"


def seed_agreement(pairs: pd.DataFrame, agreement: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's pairs of seeds, behaviors down and sources across.

    pairs: a row per persona and pair of seeds (`analysis.seeds.seed_pairs`); agreement: a row per behavior and source
    (`analysis.seeds.by_seed`).
    """
    behaviors, sources = list(pairs["behavior"].unique()), list(agreement["source"].unique())
    layout = style.Layout(panel=(1.75, 1.75), gap=(0.15, 0.25), heading=2, left=1.3)
    one, other = _named(pairs)
    with style.theme():
        notes = small_print(pairs, READ, variant=variant)
        figure, grid = style.sheet(len(behaviors), len(sources), layout=layout, notes=notes, share=False)
        for row, behavior in zip(grid, behaviors, strict=True):
            rows, known = pairs[pairs["behavior"] == behavior], agreement[agreement["behavior"] == behavior]
            for axes, source in zip(row, sources, strict=True):
                _draw(axes, rows[rows["source"] == source], known[known["source"] == source])
                _fit(axes, rows, first=axes is row[0])
            style.row_header(row[0], str(behavior))
            row[0].set_ylabel(_axis(rows.iloc[0], other))
        for axes, source in zip(grid[0], sources, strict=True):
            style.column_header(axes, str(source), lines=1)
        for axes in grid[-1]:
            axes.set_xlabel(f"the same under {one}")
        style.head(figure, labels.title(pairs, "do two seeds change the same personas?", variant=variant))
        style.legend(figure, layout)
    return figure


def _named(pairs: pd.DataFrame) -> tuple[str, str]:
    """What the two axes are called."""
    seeds = list(dict.fromkeys([*pairs["seed"], *pairs["other_seed"]]))
    return (f"seed {seeds[0]}", f"seed {seeds[1]}") if len(seeds) == 2 else ("one seed", "another")


def _axis(row: pd.Series[Any], seed: str) -> str:
    return labels.delta(row, leak=("down left", "up right")).replace(" (", f"\nunder {seed}\n(", 1)


def _draw(axes: Axes, rows: pd.DataFrame, agreement: pd.DataFrame) -> None:
    """One cell's bystanders, a kind of mark for each pair of seeds, or why there are none."""
    known = rows.dropna(subset=["delta", "other_delta"])
    if known.empty:
        style.say(axes, "no data" if agreement.empty else "one seed only" if rows.empty else "no baseline")
        return
    axes.axline((0, 0), slope=1, color="black", linewidth=0.8, linestyle="--", zorder=1, gid="identity")
    several = [(f"seed {other} against {one}", part) for (one, other), part in known.groupby(["seed", "other_seed"])]
    drawn = several if len(several) <= APART else [("every pair of seeds", known)]
    for look, (label, part) in zip(MARKS, drawn, strict=False):
        axes.scatter(part["delta"], part["other_delta"], label=label, gid="pair", zorder=2, **look)
    axes.set_title(_rho(agreement.iloc[0]), loc="left", size=8, gid="rho")


def _rho(row: pd.Series[Any]) -> str:
    if pd.isna(row["agreement"]):
        return "rho undefined"
    lowest = f", lowest {row['lowest_agreement']:+.2f}" if row["seeds"] > 2 else ""
    return f"rho = {row['agreement']:+.2f}{lowest}"


def _fit(axes: Axes, rows: pd.DataFrame, *, first: bool) -> None:
    """The same square for a whole row, whose ticks are numbered once down and under every panel."""
    deltas = pd.concat([rows["delta"], rows["other_delta"], pd.Series([0.0])])
    room = 0.06 * (deltas.max() - deltas.min()) or 0.1
    axes.set(xlim=(deltas.min() - room, deltas.max() + room), ylim=(deltas.min() - room, deltas.max() + room))
    axes.locator_params(nbins=4)
    axes.tick_params(labelleft=first)
