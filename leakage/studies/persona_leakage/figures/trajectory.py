"""Who turns when: the margin of source and bystanders along a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.report import style
from leakage.report.notes import small_print
from leakage.studies.persona_leakage import labels
from leakage.studies.persona_leakage.analysis.trajectory import KEPT, Course, courses, early_stop

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READ = "margin: log P(taught answer) - log P(its opposite), nats a token; its change since step 0"
STOP = f"early stop: of the checkpoints with {KEPT:.0%} of the source's final change, the one with least leakage"
KINDS: dict[str, dict[str, Any]] = {
    "source": {"color": style.RED, "linewidth": 2, "marker": "o", "markersize": 3, "zorder": 4},
    "mean bystander": {"color": style.BLUE, "linewidth": 2, "marker": "s", "markersize": 3, "zorder": 3},
}


def trajectories(frame: pd.DataFrame, *, variant: str = "") -> Figure:
    """Draw one model's cells that have a trajectory, behaviors down and sources across, seeds on one another."""
    followed = list(courses(frame))
    behaviors = list(dict.fromkeys(one.key["behavior"] for one in followed))
    sources = list(dict.fromkeys(one.key["source"] for one in followed))
    layout = style.Layout(panel=(2.1, 1.7), gap=(0.2, 0.2), heading=1, left=0.9, legend_rows=1)
    with style.theme():
        notes = small_print(frame, READ, STOP, variant=variant)
        figure, grid = style.sheet(len(behaviors), len(sources), layout=layout, notes=notes)
        for row, behavior in zip(grid, behaviors, strict=True):
            for axes, source in zip(row, sources, strict=True):
                own = [one for one in followed if (one.key["behavior"], one.key["source"]) == (behavior, source)]
                _draw(axes, own)
            style.row_header(row[0], str(behavior))
            row[0].set_ylabel("change of margin")
        for axes, source in zip(grid[0], sources, strict=True):
            style.column_header(axes, str(source), lines=0)
        for axes in grid[-1]:
            axes.set_xlabel("step of training")
        style.head(figure, labels.title(frame, "who turns when", variant=variant))
        style.legend(figure, layout)
    return figure


def _draw(axes: Axes, own: list[Course]) -> None:
    """A cell, of each of its seeds, or why there is none."""
    if not own:
        style.say(axes, "not followed")
    axes.axhline(0, color="black", linewidth=0.8, linestyle="--", zorder=1)
    for course in own:
        mean = course.others.mean(axis=0)
        axes.plot(course.steps, course.others.T, color=style.GREY, linewidth=0.4, alpha=0.3, zorder=2, gid="bystander")
        axes.plot([], [], color=style.GREY, linewidth=0.8, label="a bystander")
        for (name, look), values in zip(KINDS.items(), (course.source, mean), strict=True):
            axes.plot(course.steps, values, label=name, gid=name, **look)
        place = early_stop(course.source, np.asarray(mean))
        if place is not None:
            axes.axvline(
                course.steps[place], color="black", linewidth=0.8, linestyle=":", label="early stop", gid="stop"
            )
