"""How many votes does the judge of reasoning need: AUROC against the number of votes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leakage.report import style
from leakage.studies.alignment_faking.figures import rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WHAT = "AUROC of the share of votes, against human labels"
READ = (
    "line: mean over all ways to take so many of a transcript's votes; band: 95 % bootstrap interval over transcripts; "
    "ties count half"
)


def auroc_against_votes(table: pd.DataFrame, *, published: tuple[int, float] | None = None) -> Figure:
    """Draw `auroc_by_votes`; published: votes and AUROC of a source to compare with."""
    layout = style.Layout(panel=(4.2, 2.6), heading=0, left=0.6, legend_rows=1)
    with style.theme():
        if table.empty:
            return rows.empty(WHAT, "no AUROC: labels of both kinds\nand votes for each are needed")
        first = table.iloc[0]
        many = f"{first['positives']:.0f} positive and {first['negatives']:.0f} negative transcripts"
        figure, ((axes,),) = style.sheet(1, 1, layout=layout, notes=(READ, many))
        _draw(axes, table)
        if published:
            _reference(axes, *published)
        _fit(axes, table, published)
        style.head(figure, WHAT)
        style.legend(figure, layout)
    return figure


def _draw(axes: Axes, table: pd.DataFrame) -> None:
    look: Any = {"color": style.BLUE, "linewidth": 1.4, "marker": "o", "markersize": 3.5}
    axes.plot(table["k"], table["auroc"], label="this judge", gid="auroc", zorder=3, **look)
    if len(table) > 1:
        axes.fill_between(table["k"], table["low"], table["high"], color=style.BLUE, alpha=0.2, linewidth=0, gid="band")
    else:
        axes.vlines(table["k"], table["low"], table["high"], color=style.BLUE, linewidth=1.4, gid="band")


def _reference(axes: Axes, votes: int, value: float) -> None:
    look: Any = {"color": "black", "linewidth": 0.9, "linestyle": "--", "gid": "published"}
    axes.axhline(value, label=f"published: {value:.2f} at {votes} votes", zorder=2, **look)
    axes.scatter([votes], [value], marker="D", s=22, facecolors="white", edgecolors="black", zorder=4)


def _fit(axes: Axes, table: pd.DataFrame, published: tuple[int, float] | None) -> None:
    from matplotlib.ticker import MaxNLocator

    last = max(int(table["k"].max()), published[0] if published else 1)
    axes.set(xlim=(0.5, last + 0.5), ylim=(min(0.5, float(table["low"].min())) - 0.02, 1.02))
    axes.axhline(0.5, color=style.GREY, linewidth=0.6, linestyle=":", zorder=1)
    axes.text(last + 0.35, 0.505, "chance", color=style.GREY, size=7, ha="right", va="bottom")
    axes.set(xlabel="votes a transcript", ylabel="AUROC")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
