"""A cell as a cloud of personas, change against similarity: what the grid and the details are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from leakage.analysis.statistics import stars
from leakage.report import style
from leakage.studies.persona_leakage import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RHO_LINES = 3
# shape and edge tell the kinds apart in black and white
MARKS: dict[str, dict[str, Any]] = {
    "bystander": {"marker": "o", "s": 13, "facecolors": "C0", "alpha": 0.7, "linewidths": 0},
    "shares_word": {"marker": "D", "s": 20, "facecolors": "C8", "edgecolors": "black", "linewidths": 0.8},
    "trained_negative": {"marker": "o", "s": 60, "facecolors": "none", "edgecolors": "black"},
    "source": {"marker": "*", "s": 130, "facecolors": "C3", "edgecolors": "black", "linewidths": 0.6},
}
LABELS = {
    "bystander": "bystander",
    "shares_word": "name shares a word with the source's",
    "trained_negative": "trained negative",
    "source": "source",
}


@dataclass(frozen=True)
class Panel:
    """One behavior under one source: its personas (means over seeds) and its cells (one a seed)."""

    behavior: str
    source: str
    points: pd.DataFrame
    cells: pd.DataFrame

    @property
    def drawn(self) -> pd.DataFrame:
        """Personas that have a place in the panel."""
        return self.points.dropna(subset=["cosine", "delta"])

    @property
    def bystanders(self) -> pd.DataFrame:
        """Those of them that rho is about."""
        return self.drawn[~self.drawn["is_source"]]

    @property
    def missing(self) -> str:
        """Why nothing can be drawn; empty when something can."""
        if self.points.empty:
            return "no data"
        if self.points["delta"].isna().all():
            return "no baseline"
        if self.points["cosine"].isna().all():
            return "no geometry"
        return "no overlap of deltas and geometry" if self.drawn.empty else ""

    def rho_lines(self, *, interval: bool = False) -> list[str]:
        """What is printed above the panel."""
        if self.missing:
            return []
        mixed = bool(self.cells["seed"].duplicated().any())
        seeded = len(self.cells) > 1
        lines = [
            _who(cell, seeded=seeded, mixed=mixed) + _rho(cell, interval=interval)
            for cell in self.cells.to_dict("records")
        ]
        more = len(lines) - RHO_LINES
        return lines if more <= 0 else [*lines[: RHO_LINES - 1], f"{lines[RHO_LINES - 1]}   +{more} more"]


def panels(frame: pd.DataFrame, cells: pd.DataFrame) -> list[list[Panel]]:
    """Behaviors down and sources across, in order of appearance; empty where a cell was not run."""
    behaviors, sources = list(pd.unique(cells["behavior"])), list(pd.unique(cells["source"]))
    rows = dict(iter(frame.groupby(["behavior", "source"], sort=False)))
    runs = dict(iter(cells.groupby(["behavior", "source"], sort=False)))
    return [
        [Panel(b, s, _over_seeds(rows.get((b, s), frame[:0])), runs.get((b, s), cells[:0])) for s in sources or [""]]
        for b in behaviors or [""]
    ]


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a persona; a persona outside the panel stays only where it is the source."""
    flags = ["is_source", "trained_negative", "shares_word"]
    shown = rows[rows["in_panel"].astype(bool) | rows["is_source"].astype(bool)]
    typed = shown.astype({"cosine": float, "delta": float} | dict.fromkeys(flags, bool))
    rules = {"cosine": "mean", "delta": "mean"} | dict.fromkeys(flags, "any")
    return typed.groupby("persona", sort=False)[list(rules)].agg(rules)


def _who(cell: dict[Any, Any], *, seeded: bool, mixed: bool) -> str:
    who = f"seed {cell['seed']}" if seeded else ""
    who += f" {str(cell['train_id'])[:6]}/{str(cell['eval_id'])[:6]}" if mixed else ""
    return who + ": " if who else ""


def _rho(cell: dict[Any, Any], *, interval: bool) -> str:
    if pd.isna(cell["rho"]):
        return f"rho undefined, n = {cell['n']:.0f}"
    known = interval and not pd.isna(cell["rho_low"])
    reach = f" (95 % {cell['rho_low']:+.2f} to {cell['rho_high']:+.2f})" if known else ""
    worth = stars(cell["p"]).replace("n.s.", " n.s.")
    return f"rho = {cell['rho']:+.2f}{worth}{reach}, n = {cell['n']:.0f}"


def draw(axes: Axes, panel: Panel, *, size: float = 1.0, interval: bool = False) -> None:
    """Put the marks in, or the reason why there are none; size: of marks and heading, against the grid's."""
    axes.set_title("\n".join(panel.rho_lines(interval=interval)), loc="left", size=8, gid="rho")
    if panel.missing:
        style.say(axes, panel.missing)
        return
    axes.axhline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
    points = panel.drawn
    bystander = ~points["is_source"]
    parts = {
        "bystander": bystander & ~points["shares_word"],
        "shares_word": bystander & points["shares_word"],
        "trained_negative": bystander & points["trained_negative"],
        "source": points["is_source"],
    }
    for order, (kind, chosen) in enumerate(parts.items()):
        if chosen.any():
            x, y = points.loc[chosen, "cosine"], points.loc[chosen, "delta"]
            look = MARKS[kind] | {"s": MARKS[kind]["s"] * size}
            axes.scatter(x, y, gid=kind, label=LABELS[kind], zorder=2 + order, **look)


def largest(panel: Panel) -> pd.DataFrame:
    """The bystanders that changed, those that changed most first; none when all changed alike."""
    others = panel.bystanders
    if others["delta"].nunique() < 2:
        return others[:0]
    size = others["delta"].abs()
    return others.loc[size[size > 0].sort_values(ascending=False, kind="stable").index]


def limit(axes: Axes, deltas: pd.Series[float], *, unit: str) -> None:
    """Fit an axis to its deltas and zero, soberly where hardly anything changed."""
    if deltas.empty:
        axes.set_yticks([])
        return
    flat = 0.1 if unit == "rate" else 10
    low, high = min(0.0, deltas.min()), max(0.0, deltas.max())
    # tiny changes, and float noise in deltas that are all 0, would be blown up to the panel's full height
    short = max(0.0, flat - (high - low))
    low, high = low - short / 2, high + short / 2
    axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))


def similarity(source: str, headline: str) -> str:
    """The axis of cosines."""
    return f"cosine to {source} ({labels.definition(headline)})"
