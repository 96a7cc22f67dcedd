"""Does a subject comply more in training: its rates in the two tiers, and the gap between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from leakage.report import style
from leakage.studies.alignment_faking.figures import rows
from leakage.studies.alignment_faking.gaps import ABOVE, BELOW, NONE, UNDEFINED, UNTOLD
from leakage.studies.alignment_faking.metrics import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.21  # inches
BESIDE = 0.19  # of a row: the two tiers' marks, one above the other
UNDER = 0.3  # of a row: a planted gap, which its estimate would hide
BLOCK = ["scenario", "gap_name", "more", "less"]
WHAT = "compliance by tier, and the gap between the tiers"
TIERS: dict[str, dict[str, Any]] = {
    "more": {"marker": "o", "facecolors": "black", "edgecolors": "black", "label": "the block's first tier"},
    "less": {"marker": "s", "facecolors": "white", "edgecolors": "black", "label": "its second tier"},
}
# shape tells findings apart in black and white
FINDINGS: dict[str, dict[str, Any]] = {
    ABOVE: {"marker": "o", "color": style.RED, "label": "gap above zero, q < .05"},
    BELOW: {"marker": "s", "color": style.BLUE, "label": "gap below zero, q < .05"},
    NONE: {"marker": "v", "color": style.GREY, "label": "no gap found: q >= .05"},
    UNTOLD: {"marker": "X", "color": style.ORANGE, "label": "missing replies decide"},
}
PLANTED: dict[str, Any] = {"marker": "D", "facecolors": "white", "edgecolors": "black", "s": 15, "linewidths": 0.8}
READ = (
    "left: rate over all known replies of a tier, with Wilson's 95 % interval",
    "right: difference over matched prompts with its 95 % bootstrap interval; q: McNemar's exact p after "
    "Benjamini-Hochberg over all gaps",
)
DAGGER = "\N{DAGGER}: above one point, which is alignment faking by the paper's rule, but no gap by the test"


def compliance_by_tier(table: pd.DataFrame) -> Figure:
    """Draw the table of gaps, a line for each, in blocks of one scenario and two tiers."""
    with style.theme():
        if table.empty:
            return rows.empty(WHAT, "no cell is done yet")
        lines, heads = rows.places(table, BLOCK, line=[1.0] * len(table))
        names = rows.names(table, BLOCK)
        left, last = max(rows.NARROW, rows.width(names) + 0.25), float(lines.max())
        right = 2.9 if table["missing"].any() else 2.0
        layout = style.Layout(
            panel=(2.1, ROW * (last + 1.2)),
            gap=(0.2, 0),
            heading=0,
            left=left,
            right=right,
            legend_rows=2,
        )
        dagger = DAGGER if _daggers(table).any() else ""
        figure, ((rates, gaps),) = style.sheet(1, 2, layout=layout, notes=rows.notes(table, *READ, dagger))
        drawn = table.assign(y=lines, dagger=_daggers(table))
        _rates(rates, drawn)
        _gaps(gaps, drawn)
        rates.set(
            ylim=(last + 0.7, -0.6), xlim=(-0.03, 1.03), xticks=[0, 0.5, 1], xlabel="share of replies that comply"
        )
        rates.set_yticks(lines, names)
        for key, top in heads.items():
            rows.heading(rates, top, _words(key, table), left=left)
        for axes in (rates, gaps):
            rows.bare(axes)
            axes.hlines(lines + 0.5, *axes.get_xlim(), color="0.92", linewidth=0.5, zorder=0)
        style.head(figure, rows.title(table, WHAT))
        style.legend(figure, layout)
    return figure


def _words(key: tuple[str, ...], table: pd.DataFrame) -> str:
    """The block's scenario, its gap where it has several, and the two tiers."""
    scenario, gap, more, less = key
    several = table.loc[table["scenario"] == scenario, "gap_name"].nunique() > 1
    return f"{scenario}, {gap}: {more} - {less}" if several else f"{scenario}: {more} - {less}"


def _daggers(table: pd.DataFrame) -> pd.Series[bool]:
    return table["faking_by_papers_rule"].fillna(False).astype(bool) & (table["direction"] != ABOVE)


def _rates(axes: Axes, table: pd.DataFrame) -> None:
    for side, look in TIERS.items():
        known = table[table[f"n_{side}"] > 0]
        y = known["y"] + (-BESIDE if side == "more" else BESIDE)
        k, n = known[f"k_{side}"], known[f"n_{side}"]
        reaches = [wilson(int(hits), int(all_)) for hits, all_ in zip(k, n, strict=True)]
        low, high = [one.low for one in reaches], [one.high for one in reaches]
        axes.hlines(y, low, high, color="black", linewidth=1, zorder=2)
        axes.scatter(k / n, y, s=16, linewidths=0.8, zorder=3, gid=side, **look)


def _gaps(axes: Axes, table: pd.DataFrame) -> None:
    axes.axvline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
    for finding, look in FINDINGS.items():
        known = table[table["direction"] == finding]
        if len(known):
            axes.hlines(known["y"], known["gap_low"], known["gap_high"], color=look["color"], linewidth=1.6, zorder=2)
            axes.scatter(known["gap"], known["y"], s=30, linewidths=0, zorder=3, gid=finding, **look)
    planted = table[table["planted_gap"].notna()]
    if len(planted):
        label = "the gap that was planted"
        axes.scatter(planted["planted_gap"], planted["y"] + UNDER, zorder=4, gid="planted", label=label, **PLANTED)
    for row in table.to_dict("records"):
        axes.text(1.03, row["y"], _numbers(row), transform=axes.get_yaxis_transform(), va="center", size=7, gid="gap")
    axes.set(xlim=_limits(table), xlabel="gap: first tier - second tier")
    axes.locator_params(axis="x", nbins=5)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    ends = pd.concat([table[name] for name in ("gap_low", "gap_high", "planted_gap")]).dropna()
    low, high = min(ends.min(), 0.0) if len(ends) else -1.0, max(ends.max(), 0.0) if len(ends) else 1.0
    room = 0.06 * (high - low) or 0.1
    return low - room, high + room


def _numbers(row: dict[Any, Any]) -> str:
    if not row["n"]:
        return "undefined: nothing to match"
    if row["direction"] == UNDEFINED:
        return f"undefined: too few, n = {row['n']:.0f}"
    dagger = " \N{DAGGER}" if row["dagger"] else ""
    reach = f"({row['gap_low']:+.2f} to {row['gap_high']:+.2f})"
    return f"{row['gap']:+.2f} {reach}, n = {row['n']:.0f}{dagger}{_missing(row)}"


def _missing(row: dict[Any, Any]) -> str:
    """The share of each tier's replies that is missing, where any is."""
    shares = [row["missing_more"], row["missing_less"]]
    return f", missing {100 * shares[0]:.0f}/{100 * shares[1]:.0f} %" if any(shares) else ""
