"""The cells of a write-up with what runs each of them again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.data.personas import read_personas
from leakage.report.again import Usual
from leakage.report.commands import below, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from leakage.studies.persona_leakage.report.cells import Cell
    from leakage.studies.study import Compose

CHOSEN = ("behavior.name", "source.name", "seed", "job")
VARYING = re.compile(r"^(?:seed|planned): .*\n|^source:\n  name: .*\n", re.MULTILINE)


@dataclass(frozen=True)
class Again:
    """A cell, and what runs it again beside its behavior and source: everything that is not as usual."""

    cell: Cell
    rest: tuple[str, ...]

    @property
    def row(self) -> dict[str, Any]:
        """Its row of the headline table."""
        return self.cell.row

    @property
    def multirun(self) -> Path:
        """The folder of its results."""
        assert self.cell.artifacts
        return self.cell.artifacts.multirun

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that tell it from other cells, by name."""
        assert self.cell.artifacts
        return dict(self.cell.artifacts.facts["settings"])


def runnable(cells: Iterable[Cell], compose: Compose | None) -> list[Again]:
    """The cells whose settings are there to be run again; none without a way to compose the usual ones."""
    if compose is None:
        return []
    usual = Usual(compose)
    rests = [(cell, _rest(cell, usual)) for cell in cells]
    return [Again(cell, rest) for cell, rest in rests if rest is not None]


def _rest(cell: Cell, usual: Usual) -> tuple[str, ...] | None:
    after = cell.artifacts.after if cell.artifacts else None
    chosen = [f"behavior={cell.row['behavior']}"]
    written = usual.written(after.completions.folder, chosen, VARYING) if after else None
    if written is None or not cell.artifacts:
        return None
    return (*usual.rest(written, chosen, but=CHOSEN), *below(cell.artifacts.multirun))


def command(again: Iterable[Again], *more: str, source: Callable[[str], str] = str) -> tuple[str, ...]:
    """Commands that run these cells with more overrides; source: another one in the place of theirs."""
    jobs = [((one.row["behavior"], source(one.row["source"])), one.rest) for one in again]
    return run(jobs, ("behavior", _source_key([second for (_, second), _ in jobs])), *more)


def _source_key(names: Sequence[str]) -> str:
    """A shipped persona is an option of `source`, one's own is named."""
    return "source" if set(names) <= set(read_personas().names) else "source.name"
