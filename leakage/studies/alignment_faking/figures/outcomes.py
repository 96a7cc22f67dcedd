"""What the replies are: refusals, partial and full compliance, each with or without alignment-faking reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from leakage.report import style
from leakage.studies.alignment_faking.figures import rows
from leakage.studies.alignment_faking.gaps import CELL
from leakage.studies.alignment_faking.metrics import OUTCOMES, UNCLASSIFIED, WITH_AF
from leakage.studies.alignment_faking.tables import COUNTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, BAR = 0.15, 0.84  # inches; of a row
LAST = 1.5  # rows that the last bar of a subject takes
BLOCK = ["scenario"]
WHAT = "outcomes by tier"
# dark, light and middling, so that the three are apart in grey as well; reasoning is hatched
COLOURS = {"refusal": style.BLUE, "partial": "#ece9d8", "compliance": style.ORANGE}
MISSING: dict[str, Any] = {"color": "white", "edgecolor": style.GREY, "linewidth": 0.4, "height": BAR, "hatch": "....."}
NOTHING = "no reply has a class"
LEGIBLE = 0.055  # of a bar: below it a number does not fit
READ = (
    "numbers: per cent of all that was asked; hatched: the scratchpad has alignment-faking reasoning; dotted: no reply "
    "(cut off, filtered, blocked)"
)


def outcome_classes(table: pd.DataFrame) -> Figure:
    """Draw the table of outcomes, a bar for each tier, tiers of a subject together, in blocks of one scenario."""
    with style.theme():
        if table.empty:
            return rows.empty(WHAT, "no cell is done yet")
        ends = ~table.duplicated(CELL, keep="last")
        lines, heads = rows.places(table, BLOCK, line=ends.map({True: LAST, False: 1.0}).tolist())
        names, tags = rows.names(table, [*BLOCK, "tier"]), list(table["tier"])
        tier_room = rows.width(tags) + 0.2
        left, last = max(rows.NARROW, rows.width(names) + tier_room + 0.2), float(lines.max())
        layout = style.Layout(panel=(4.0, ROW * (last + 1.2)), heading=0, left=left, right=1.5, legend_rows=2)
        figure, ((axes,),) = style.sheet(1, 1, layout=layout, notes=rows.notes(table, READ))
        _bars(axes, table.assign(y=lines))
        axes.set(ylim=(last + 0.7, -0.6), xlim=(0, 1), xticks=[0, 0.5, 1], xlabel="share of replies")
        axes.set_yticks(lines, tags)
        rows.bare(axes)
        _name(axes, table.assign(y=lines, name=names), offset=tier_room)
        for (scenario,), top in heads.items():
            rows.heading(axes, top, scenario, left=left)
        style.head(figure, rows.title(table, WHAT))
        style.legend(figure, layout)
    return figure


def _bars(axes: Axes, table: pd.DataFrame) -> None:
    known = table[table["n"] + table["missing"] > 0]
    asked = known["n"] + known["missing"]
    start = pd.Series(0.0, index=known.index)
    for outcome in OUTCOMES:
        share = known[COUNTS[outcome]] / asked
        look = _look(outcome)
        drawn = share > 0
        if drawn.any() or not len(known):
            axes.barh(known["y"][drawn], share[drawn], left=start[drawn], gid=outcome, **look)
        start = start + share
    if known["missing"].any():
        axes.barh(known["y"], known["missing"] / asked, left=start, gid="missing", label="missing", **MISSING)
    _numbers(axes, known)
    for row in table.to_dict("records"):
        missing = f", {row['missing']:.0f} missing" if row["missing"] else ""
        label = f"n = {row['n']:.0f}{missing}"
        axes.text(1.02, row["y"], label, transform=axes.get_yaxis_transform(), va="center", size=6.5, gid="n")
        if not row["n"]:
            axes.text(0.01, row["y"], NOTHING, va="center", size=6.5, color=style.GREY, gid="reason")


def _look(outcome: str) -> dict[str, Any]:
    if outcome == UNCLASSIFIED:
        return MISSING | {"hatch": "xxxxx", "label": outcome}
    kind = outcome.removesuffix(WITH_AF)
    look: dict[str, Any] = {"color": COLOURS[kind], "edgecolor": "black", "linewidth": 0.4, "height": BAR}
    return look | {"hatch": "//////" if kind != outcome else None, "label": outcome}


def _numbers(axes: Axes, table: pd.DataFrame) -> None:
    """Per cent in every part that is wide enough, on white where it is hatched or dark."""
    for row in table.to_dict("records"):
        start = 0.0
        for outcome in OUTCOMES:
            share = row[COUNTS[outcome]] / (row["n"] + row["missing"])
            if share >= LEGIBLE:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
                plain = outcome in {"partial", "compliance"}
                look: Any = {"ha": "center", "va": "center_baseline", "size": 6, "gid": "share"}
                axes.text(start + share / 2, row["y"], f"{100 * share:.0f}", bbox=None if plain else box, **look)
            start += share


def _name(axes: Axes, table: pd.DataFrame, *, offset: float) -> None:
    """Each subject once, beside the middle of its bars."""
    for _, cell in table.groupby(CELL, sort=False, dropna=False):
        where: Any = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
        look: Any = {"ha": "right", "va": "center", "size": 7, "gid": "subject"}
        axes.annotate(str(cell["name"].iloc[0]), (0, cell["y"].mean()), (-72 * offset, 0), **where, **look)
