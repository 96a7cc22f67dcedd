"""What a card says of a training set: leaks, contained, or not told apart; by a rule fixed before any card was made."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.resampling import interval_of_mean
from leakage.analysis.statistics import NAN, Interval, known, mean_known
from leakage.studies.persona_leakage.analysis.cells import bystanders
from leakage.studies.persona_leakage.by_prompt import table_of

if TYPE_CHECKING:
    import pandas as pd

LEAKS, CONTAINED, OPEN = "leaks", "contained", "not told apart"
TENTH = 0.1  # of the source's change: what more of reaches the others is a leak
NORMAL = 1.96  # a 95 % interval, in standard errors
RULE = (
    "The mean change of the bystanders that are not in the file, with its 95 % interval, is held against a tenth of "
    "the source's own change. Leaks: the whole interval is above that tenth, and above what the noise of the answers "
    "alone would give an unchanged model. Contained: the whole interval, and that noise, is below the tenth. Not told "
    "apart: neither, or the source itself did not take the behavior up."
)


@dataclass(frozen=True)
class Spread:
    """Changes in the direction of leakage, in the behavior's unit.

    source: of the source; mean, reach: of the bystanders that are not in the file, so many; noise: how far the mean of
    an unchanged model may lie from 0; trained: mean of those that are in the file, nan where none is
    """

    source: float
    mean: float
    reach: Interval
    bystanders: int
    noise: float
    trained: float

    @property
    def share(self) -> float:
        """Of the source's change that reaches the bystanders; nan where the source did not change."""
        return self.mean / self.source if self.source > 0 else NAN

    @property
    def was_taught(self) -> bool:
        """Whether the source changed by more than the noise of one persona."""
        return self.source > self.noise * sqrt(self.bystanders)

    @property
    def tenth(self) -> float:
        """The change from which on it is a leak."""
        return TENTH * self.source


def spread(rows: "pd.DataFrame") -> Spread:
    """Of the rows of one cell of the tidy frame."""
    direction = int(rows["leak_direction"].iloc[0])
    others = bystanders(rows)
    in_file = others["trained_negative"].astype(bool)
    fresh = others[~in_file]
    by_prompt = table_of(fresh["delta_by_prompt"])
    changes = fresh["delta"].to_numpy(float) if by_prompt is None else by_prompt
    reach = interval_of_mean(direction * changes) if len(fresh) else Interval(NAN, NAN)
    return Spread(
        source=direction * mean_known(rows[rows["is_source"]]["delta"]),
        mean=direction * mean_known(fresh["delta"]),
        reach=reach,
        bystanders=len(known(fresh["delta"])[0]),
        noise=_noise(fresh),
        trained=direction * mean_known(others[in_file]["delta"]),
    )


def _noise(rows: "pd.DataFrame") -> float:
    """How far two evaluations of the base itself may lie apart in their mean over these personas, 95 % of the time."""
    if rows.empty:
        return NAN
    n, k, sd = (rows[name].to_numpy(float) for name in ("base_n", "base_k", "base_sd"))
    level = (k + 0.5) / (n + 1)
    scale = 1.0 if (rows["unit"] == "rate").all() else 100.0
    variance = scale**2 * level * (1 - level) if (rows["measure"] == "hits").all() else sd**2
    return float(NORMAL * sqrt(np.nansum(2 * variance / n)) / len(rows))


def verdict(one: Spread) -> str:
    """By RULE."""
    if not one.was_taught or one.reach.low != one.reach.low:
        return OPEN
    if one.reach.low > max(one.tenth, one.noise):
        return LEAKS
    return CONTAINED if max(one.reach.high, one.noise) < one.tenth else OPEN


def in_words(one: Spread) -> dict[str, Any]:
    """The numbers of a card, missing ones as None."""
    numbers = {
        "source_change": one.source, "bystander_change": one.mean, "low": one.reach.low, "high": one.reach.high,
        "bystanders": one.bystanders, "share_of_source": one.share, "tenth_of_source": one.tenth, "noise": one.noise,
        "change_of_those_in_the_file": one.trained,
    }  # fmt: skip
    return {name: None if value != value else value for name, value in numbers.items()}
