"""How a step stands: the one answer for runs, plans, status, tables, estimates and another judge."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from leakage.store.files import canonical
from leakage.store.record import Record, Status


class Expected(Protocol):
    """What a record is held to: where it lies below the results, and what its manifest must say now."""

    @property
    def folder(self) -> Path:
        """Its folder, below the results."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What its manifest must tell; else it is made again."""
        ...


def status(multirun: Path, step: Expected) -> Status:
    """How a step stands now: done only where its record is whole, of the files it was made from, and tells what is
    expected of it; a record that does not is stale."""
    record = Record(multirun / step.folder)
    own = record.status()
    return Status.STALE if own is Status.DONE and _other_facts(record, step) else own


def trouble(multirun: Path, step: Expected) -> str:
    """Why a step is not done, in words; empty where there is nothing to say."""
    record = Record(multirun / step.folder)
    own = record.status()
    return (_other_facts(record, step) if own is Status.DONE else record.trouble(own)) or ""


def _other_facts(record: Record, step: Expected) -> str | None:
    """The first fact that the manifest tells otherwise."""
    facts = record.manifest.facts if record.manifest else {}
    for name, value in step.facts.items():
        if canonical(facts.get(name)) != canonical(value):
            return f"its {name} was {_short(facts.get(name))} and is {_short(value)} now"
    return None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:8]}…"
