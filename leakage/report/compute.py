"""What a result took: hours and machines by stage, and the dollars that its records and the kept replies tell of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leakage.network import stored_answers
from leakage.report.markdown import count, listed, table
from leakage.report.wording import NOTHING
from leakage.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from leakage.store.artifact import Part

REPLIES = "replies"


@dataclass(frozen=True)
class Stage:
    """One kind of work: the records it made, and US dollars; None: it asks no model behind an API."""

    name: str
    parts: Sequence[Part]
    usd: float | None = None


def compute(stages: Iterable[Stage], multirun: Path) -> list[str]:
    """A table of the stages that made anything, and what all replies below the results have cost."""
    known = [Stage(one.name, _once(one.parts), one.usd) for one in stages if one.parts]
    every = Stage("all", [part for one in known for part in one.parts], sum(one.usd or 0 for one in known))
    head = ("stage", "records", "wall hours", "machines", "US dollars")
    return [
        *table(head, [_row(one) for one in (*known, every)]),
        f"Wall hours are those of every start that had a part in a record. {_code(every.parts)} {_paid(multirun)}",
        "",
    ]


def _row(stage: Stage) -> tuple[str, int, str, str, str]:
    hours = sum(part.manifest.provenance["wall_seconds"] for part in stage.parts) / 3600
    usd = NOTHING if stage.usd is None else f"{stage.usd:.2f}"
    return stage.name, len(stage.parts), f"{hours:.3f}", _machines(stage.parts), usd


def _once(parts: Sequence[Part]) -> list[Part]:
    """Each record once: a baseline is that of many cells."""
    return list({part.folder: part for part in parts}.values())


def _machines(parts: Sequence[Part]) -> str:
    devices = Counter(part.manifest.provenance["machine"]["device"] for part in parts)
    return listed(devices) if len(devices) == 1 else listed(f"{name} ({many})" for name, many in devices.items())


def _code(parts: Sequence[Part]) -> str:
    made = [part.manifest.provenance["git"] for part in parts]
    commits = {str(one["commit"])[:8] for one in made if one["commit"]}
    changed = sum(bool(one["dirty"]) for one in made)
    edited = f", {count(changed, 'record')} with uncommitted changes" if changed else ""
    named = f" ({listed(sorted(commits))})" if 0 < len(commits) <= 3 else ""
    return f"The code is of {count(len(commits), 'commit')}{named}{edited}."


def _paid(multirun: Path) -> str:
    """What is spent, by the journals: a reply that several records share is paid once."""
    paid = spent(multirun)
    if not paid:
        return "No model behind an API was asked."
    each = listed(f"{name} ${usd:.2f}" for name, usd in paid.items())
    return (
        f"All replies kept below `{REPLIES}/` have cost {each}, those that no finished record uses among them; a reply "
        "that several records share is counted in each of these above, and paid once."
    )


def spent(multirun: Path) -> Mapping[str, float]:
    """US dollars of all replies of each model that was ever asked for these results."""
    folders = sorted(path for path in (multirun / REPLIES).glob("*") if path.is_dir())
    return {path.name: sum(one.usd for one in Journal(path).made(stored_answers).values()) for path in folders}
