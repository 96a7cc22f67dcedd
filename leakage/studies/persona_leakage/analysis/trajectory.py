"""Who turns when: changes of the margin along a training, and the step at which it had best ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN
from leakage.studies.persona_leakage.analysis.cells import CELL, cells

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

KEPT = 0.9  # of the source's final change, what an early stop must keep
REMOVED = 0.5  # of the bystanders', what it must remove to be worth it
STOPS = (
    *CELL, "checkpoints", "steps", "source_margin", "bystander_margin", "source_half", "bystander_half", "stop", "kept",
    "removed", "worth_it",
)  # fmt: skip
TURNS = (*CELL, "persona", "category", "is_source", "turns_at", "final_share")


@dataclass(frozen=True)
class Course:
    """One cell along its training. steps: (steps,); changes: (personas, steps) of the margin since step 0, of `rows`"""

    key: dict[str, Any]
    rows: "pd.DataFrame"
    steps: "Array"
    changes: "Array"

    @property
    def source(self) -> "Array":
        """(steps,) of the persona that is taught."""
        mean: Array = self.changes[self.rows["is_source"].to_numpy(bool)].mean(axis=0)
        return mean

    @property
    def others(self) -> "Array":
        """(bystanders, steps)"""
        return self.changes[(self.rows["in_panel"] & ~self.rows["is_source"]).to_numpy(bool)]


def courses(frame: "pd.DataFrame") -> Iterator[Course]:
    """Every cell whose source has a trajectory, with the personas that were asked at the same steps."""
    for key, rows in cells(frame) if "trajectory" in frame else ():
        tables = [dict(one.split(":") for one in text.split()) for text in rows["trajectory"].fillna("")]
        own = next((table for table, is_own in zip(tables, rows["is_source"], strict=True) if is_own), {})
        alike = [table.keys() == own.keys() for table in tables]
        if own:
            changes = [list(table.values()) for table in tables if table.keys() == own.keys()]
            yield Course(key, rows[alike], np.array(list(own), dtype=float), np.array(changes, dtype=float))


def by_trajectory(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell. source_half, bystander_half: the step at which the source, and the mean bystander, pass half of
    their own final change, between two checkpoints in proportion.

    stop: of the checkpoints at which the source has KEPT of its final change or more, the one with the least change of
    the mean bystander; kept, removed: what the source keeps of its final change there, and bystanders lose of theirs;
    worth_it: whether they lose REMOVED of it
    """
    import pandas as pd

    return pd.DataFrame([one.key | _stop(one) for one in courses(frame)], columns=list(STOPS))


def _stop(course: Course) -> dict[str, Any]:
    source, mean = course.source, course.others.mean(axis=0)
    place = early_stop(source, mean)
    keeps, removes = (source[place] / source[-1], 1 - mean[place] / mean[-1]) if place is not None else (NAN, NAN)
    return {
        "checkpoints": len(course.steps) - 1, "steps": course.steps[-1],
        "source_margin": source[-1], "bystander_margin": mean[-1],
        "source_half": passes(course.steps, source, source[-1] / 2),
        "bystander_half": passes(course.steps, mean, mean[-1] / 2),
        "stop": course.steps[place] if place is not None else NAN, "kept": keeps, "removed": removes,
        "worth_it": bool(removes >= REMOVED),
    }  # fmt: skip


def early_stop(source: "Array", mean: "Array") -> int | None:
    """The place of the checkpoint at which training had best ended; None where the source, or the mean bystander, ends
    no higher than it began."""
    if source[-1] <= 0 or mean[-1] <= 0:
        return None
    enough = np.flatnonzero(source >= KEPT * source[-1])
    return int(enough[np.argmin(mean[enough])])


def passes(steps: "Array", values: "Array", level: float) -> float:
    """The step at which values first reach a level above 0, between two in proportion; nan where they never do."""
    above = np.flatnonzero(values >= level)
    if level <= 0 or not len(above):
        return NAN
    last = int(above[0])
    low, high = values[last - 1], values[last]
    return float(steps[last - 1] + (steps[last] - steps[last - 1]) * (level - low) / (high - low))


def by_turn(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a persona that turns, in the order in which they do within their cell.

    turns_at: the step at which its change passes half of the source's final one; final_share: its own final change as
    a share of the source's
    """
    import pandas as pd

    rows = []
    for course in courses(frame):
        final = course.source[-1]
        personas = course.rows[["persona", "category", "is_source"]].to_dict("records")
        turns = [
            course.key | one | {"turns_at": passes(course.steps, own, final / 2), "final_share": own[-1] / final}
            for one, own in zip(personas, course.changes, strict=True)
        ]
        rows += sorted((one for one in turns if one["turns_at"] == one["turns_at"]), key=lambda one: one["turns_at"])
    return pd.DataFrame(rows, columns=list(TURNS))
