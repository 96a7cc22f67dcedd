"""How sure a finding is, by a rule that was written before any result: checks are counted, and no model is asked."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leakage.report.markdown import count, listed, table
from leakage.report.wording import NOTHING, is_known

HIGH, MODERATE, LOW, NONE = "high", "moderate", "low", "none"
ENOUGH = 2 / 3  # of the checks hold, for moderate confidence
MOST_OPEN = 1  # check that could not be made, for high confidence
RULE = (
    "Confidence is counted, not judged. High: no check fails, and at most one could not be made. Moderate: at least "
    "two thirds of the checks hold, those in italics among them. Low: all else."
)


@dataclass(frozen=True)
class Check:
    """One check of a finding: what would have to hold, in words, and whether it does; None: it could not be made.

    needed: without it confidence is low
    """

    name: str
    holds: bool | None
    needed: bool = False


@dataclass(frozen=True)
class Rated:
    """A finding with its checks. cells: how a table names it; none = there is no finding to be sure of."""

    cells: tuple[object, ...]
    finding: str
    checks: tuple[Check, ...]

    @property
    def level(self) -> str:
        """See RULE."""
        return level(self.checks)


def level(checks: Sequence[Check]) -> str:
    """high, moderate or low; see RULE. "none" where nothing is checked, as there is no finding."""
    if not checks:
        return NONE
    failed, unmade = (sum(one.holds is answer for one in checks) for answer in (False, None))
    if not failed and unmade <= MOST_OPEN and all(one.holds for one in checks if one.needed):
        return HIGH
    if any(not one.holds for one in checks if one.needed):
        return LOW
    return MODERATE if (len(checks) - failed - unmade) >= ENOUGH * len(checks) else LOW


def rated(findings: Sequence[Rated], head: Sequence[str]) -> list[str]:
    """The rule, what is checked, how many findings are how sure, and of each which checks fail or could not be made.

    head: of the columns that name a finding. A check that could be made nowhere is told once, above the table.
    """
    unmade = _nowhere(findings)
    rows = [
        (
            *one.cells,
            one.finding,
            one.level,
            _named(one.checks, holds=False),
            _named(one.checks, holds=None, but=unmade),
        )
        for one in findings
    ]
    lines = [f"{RULE} {_levels(findings)}", "", *_checked(findings)]
    lines += [f"In no case could be checked: {listed(unmade)}.", ""] if unmade else []
    return [*lines, *table((*head, "finding", "confidence", "fails", "could not be made"), rows)]


def _levels(findings: Sequence[Rated]) -> str:
    counts = Counter(one.level for one in findings if one.checks)
    parts = [f"{counts[name]} {name}" for name in (HIGH, MODERATE, LOW) if counts[name]]
    return f"{count(sum(counts.values()), 'finding')}: {listed(parts)}." if parts else "There is no finding to rate."


def _checked(findings: Sequence[Rated]) -> list[str]:
    """The checks of each kind of finding, those that are needed in italics."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for one in findings:
        names = tuple(f"*{check.name}*" if check.needed else check.name for check in one.checks)
        if names and one.finding not in kinds.setdefault(names, []):
            kinds[names].append(one.finding)
    lines = [f"- Checks where the finding is “{listed(of)}”: {listed(names)}." for names, of in kinds.items()]
    return [*lines, ""] if lines else []


def _nowhere(findings: Sequence[Rated]) -> list[str]:
    holds: dict[str, list[bool | None]] = {}
    for check in (check for one in findings for check in one.checks):
        holds.setdefault(check.name, []).append(check.holds)
    return [name for name, answers in holds.items() if all(answer is None for answer in answers)]


def _named(checks: Sequence[Check], *, holds: bool | None, but: Sequence[str] = ()) -> str:
    return listed(one.name for one in checks if one.holds is holds and one.name not in but) or NOTHING


def holds(value: Any, condition: Callable[[Any], Any]) -> bool | None:
    """Whether a number meets a condition; None where it is not known."""
    return bool(condition(value)) if is_known(value) else None
