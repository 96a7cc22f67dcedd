"""What a check of somebody's results has to say, and the first difference between two frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
CLOSE = 1e-6  # of numbers with a fraction: another machine's sums differ by less


@dataclass(frozen=True)
class Remark:
    """One thing that is wrong, or that could not be checked.

    where: a file or a record, below the results; what: is so; means: what follows from it
    """

    where: str
    what: str
    means: str
    is_wrong: bool = True

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.where}: {self.what}; {self.means}"


@dataclass(frozen=True)
class Sample:
    """Which answers are asked anew.

    share: of them, 0 to 1; seed: of the draw; model: where the base model lies here, where that is not as written
    """

    share: float
    seed: str
    model: str | None = None

    def of(self, everything: Sequence[T], name: str) -> list[T]:
        """The share of one record's, one at least, in their order."""
        count = max(1, round(self.share * len(everything)))
        chosen = Random(f"{self.seed}/{name}").sample(range(len(everything)), count)
        return [everything[i] for i in sorted(chosen)]


@dataclass(frozen=True)
class Again:
    """What came of asking anew: how many answers, and remarks."""

    answers: int = 0
    remarks: tuple[Remark, ...] = ()


def unchecked(where: str, why: str, means: str) -> Remark:
    """What could not be checked, which is nobody's fault."""
    return Remark(where, why, means, is_wrong=False)


def first_difference(
    there: "pd.DataFrame", due: "pd.DataFrame", keys: Sequence[str], columns: Sequence[str]
) -> str | None:
    """The first value that is another one than is due, and how many rows have such; None where all agree."""
    if there[list(keys)].values.tolist() != due[list(keys)].values.tolist():
        return f"its rows are not those of {len(due)} {' x '.join(keys)}: some are missing, added or in another order"
    wrong: list[str] = []
    for place, (one, other) in enumerate(zip(_rows(there, columns), _rows(due, columns), strict=True)):
        if name := next((name for name in columns if not alike(one[name], other[name])), None):
            row = ", ".join(f"{key} {there[key].iloc[place]}" for key in keys)
            wrong.append(f"{row}: {name} is {_short(one[name])} and should be {_short(other[name])}")
    more = f" (and {len(wrong) - 1} rows more)" if len(wrong) > 1 else ""
    return wrong[0] + more if wrong else None


def _rows(frame: "pd.DataFrame", columns: Sequence[str]) -> list[dict[Any, Any]]:
    return frame[list(columns)].to_dict("records")


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, numbers to CLOSE; missing is like missing."""
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    if hasattr(one, "__len__") and hasattr(other, "__len__"):
        return len(one) == len(other) and all(map(alike, one, other))
    if one is None or other is None:
        return one is other
    return (one != one and other != other) or isclose(one, other, rel_tol=CLOSE, abs_tol=1e-12)


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
