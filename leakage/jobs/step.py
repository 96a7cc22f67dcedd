"""A step: one record to fill, as data; and how it is filled."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from leakage.store.draft import Draft
from leakage.store.manifest import Input, InputEntry
from leakage.store.record import Record, Status
from leakage.store.status import status, trouble

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """How much a step takes. units: of what its manifest counts in the fact `counted_as`: steps, completions.

    rate: the facts of earlier records, model and behavior, that tell how long a unit takes
    """

    units: int = 0
    counted_as: str = ""
    rate: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Space:
    """Bytes on the disk: those that stay, and those that are there while the step is made."""

    stays: int = 0
    passes: int = 0


@dataclass(frozen=True)
class Step:
    """One record to fill. A job is its steps in order.

    folder: below paths.multirun
    identity: everything that can change its content
    inputs: files of other steps; their sha256 go into the manifest, and when one is another the record is stale
    facts: what the manifest must say now; else the record is stale
    """

    kind: str
    folder: Path
    identity: Mapping[str, Any]
    make: Callable[[Draft], None]
    inputs: tuple[Input, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    work: Work = Work()
    space: Callable[[], Space] = Space

    @property
    def id(self) -> str:
        """Short name of what identifies it, the end of its folder's name."""
        return self.folder.name.rpartition("-")[2]


def fill(multirun: Path, step: Step, *, label: str) -> None:
    """Make a step's record, unless it is done or another process makes it meanwhile."""
    Record(multirun / step.folder).fill(
        step.kind, step.id, step.make, identity=step.identity, label=label,
        wanted=partial(_is_wanted, multirun, step, label=label), inputs=partial(read_inputs, multirun, step),
    )  # fmt: skip


def _is_wanted(multirun: Path, step: Step, *, label: str) -> bool:
    """Whether a record is still to be made; one that is damaged or stale is set aside first."""
    stands = status(multirun, step)
    if stands in {Status.DAMAGED, Status.STALE}:
        cause = trouble(multirun, step)
        aside = Record(multirun / step.folder).set_aside()
        log.warning("%s: %s is %s: %s; kept in %s and made again", label, step.kind, stands, cause, aside)
    return stands is not Status.DONE


def read_inputs(multirun: Path, step: Step) -> list[InputEntry]:
    """What a step's inputs are now, as its manifest will tell."""
    return [
        InputEntry(
            folder=Path(os.path.relpath(one.folder, step.folder)).as_posix(),
            file=one.file,
            sha256=Record(multirun / one.folder).digest_of(one.file),
        )
        for one in step.inputs
    ]
