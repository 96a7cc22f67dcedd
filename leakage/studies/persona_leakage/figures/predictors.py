"""The race of predictors: how well each says who takes a behavior up, and what is left of that elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.21  # inches
BELOW = 0.32  # of a row: what is held out is often so close to its mark that it would hide it
MOST_EXPLORED = 8  # of a large model's many blocks the best
KINDS: dict[str, dict[str, Any]] = {
    "fixed": {"marker": "o", "color": style.BLUE, "label": "fixed beforehand"},
    "explored": {"marker": "v", "color": style.GREY, "label": "another block or definition (exploratory)"},
    "combined": {"marker": "D", "color": style.RED, "label": "several together"},
}
OTHERS: dict[str, dict[str, Any]] = {
    "rho_behaviors": {"marker": "|", "color": "black", "label": "held out: learnt on other behaviors"},
    "rho_sources": {"marker": "x", "color": "black", "label": "held out: learnt on other sources"},
}
READ = "mark: Spearman's rho of predictor and change over bystanders, in the direction of leakage, mean over cells"
RIGHT = "at the right: mean rho; p of the best of all predictors and blocks, whole personas shuffled; cells above 0"


def predictor_race(race: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw the race of one model and seed, a line a predictor, the best first within each kind.

    race: as `analysis.race.by_predictor` gives it; cells: the headline table, for the title
    """
    rows = _in_order(race)
    layout = style.Layout(
        panel=(4.2, ROW * (len(rows) + 0.6)), heading=0, left=1.9, right=2.0, x_label=0.45, legend_rows=3
    )
    with style.theme():
        figure, ((axes,),) = style.sheet(1, 1, layout=layout, notes=small_print(race, READ, RIGHT, _of_source(race)))
        low = min(0.0, *rows[["mean_rho", *OTHERS]].min().fillna(0)) - 0.08
        high = max(0.2, *rows[["mean_rho", *OTHERS]].max().fillna(0)) + 0.08
        axes.set(xlim=(low, high), ylim=(len(rows) - 0.4, -0.6), xlabel="mean rho over cells")
        axes.axvline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
        axes.set_yticks(rows["y"], rows["predictor"].str.replace("_", " "))
        axes.tick_params(axis="y", length=0)
        _marks(axes, rows)
        style.head(figure, labels.title(cells, "which predictor says who"))
        style.legend(figure, layout)
    return figure


def _in_order(race: pd.DataFrame) -> pd.DataFrame:
    """The predictors that say something, each with its line."""
    some = race[race["kind"].isin(list(KINDS)) & race["mean_rho"].notna()]
    best = some.sort_values("mean_rho", ascending=False, kind="stable")
    parts = {kind: best[best["kind"] == kind] for kind in KINDS}
    parts["explored"] = parts["explored"].head(MOST_EXPLORED)
    rows = pd.concat(list(parts.values()), ignore_index=True)
    return rows.assign(y=range(len(rows)))


def _marks(axes: Axes, rows: pd.DataFrame) -> None:
    for kind, look in KINDS.items():
        some = rows[rows["kind"] == kind]
        if len(some):
            axes.scatter(some["mean_rho"], some["y"], s=34, linewidths=0, zorder=2, gid=kind, **look)
    for column, look in OTHERS.items():
        known = rows[rows[column].notna() & (rows["kind"] != "explored")]
        if len(known):
            axes.scatter(known[column], known["y"] + BELOW, s=16, linewidths=1.0, zorder=3, gid=column, **look)
    for row in rows.to_dict("records"):
        axes.text(1.02, row["y"], _numbers(row), transform=axes.get_yaxis_transform(), va="center", size=7, gid="rho")


def _numbers(row: dict[Any, Any]) -> str:
    chance = f", p {row['p_best']:.3f}" if row["p_best"] == row["p_best"] else ""
    return f"{row['mean_rho']:+.2f}{chance}, {row['positive']:.0f} of {row['cells']:.0f}"


def _of_source(race: pd.DataFrame) -> str:
    """How much the source alone explains."""
    alone = race[(race["kind"] == "no predictor") & race["weight"].notna()]
    if alone.empty:
        return ""
    share, p = alone["weight"].iloc[0], alone["p_best"].iloc[0]
    return f"the source alone has {share:.0%} of the variance of changes within behaviors (p {p:.3f})"
