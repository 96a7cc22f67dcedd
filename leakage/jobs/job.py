"""What a sweep needs to know of a job of either study: the records it fills one after the other, and how they stand."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.store.plans import PlannedJob
from leakage.store.record import Draft, Record, Status

if TYPE_CHECKING:
    from leakage.settings.config import Config, ModelSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bill:
    """What a job will ask of a paid API: questions, tokens each way, US dollars, and the most these can be.

    payee: judge or subject
    """

    payee: str
    asks: int
    usd: float
    most: float
    tokens_in: int = 0
    tokens_out: int = 0


class Staged(ABC):
    """One job: where its results are, what they are made from and whether they are there."""

    config: "Config"

    @property
    @abstractmethod
    def label(self) -> str:
        """How messages call the job."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """What plans call it: cell, baseline, geometry, trial."""

    @property
    @abstractmethod
    def stages(self) -> dict[str, Path]:
        """The folders this job fills, below paths.multirun, by the kind of their record and in order."""

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Everything that can change its results, for a plan."""

    @property
    @abstractmethod
    def sources(self) -> dict[Path, tuple[Path, str]]:
        """For a folder what its record is made from: a folder and a file in it."""

    @property
    @abstractmethod
    def base_model(self) -> "ModelSettings | None":
        """The model that must be on the machine; None where it is behind an API."""

    @abstractmethod
    def units(self, stage: str) -> int:
        """How much work a stage is: optimiser steps, completions, prompts."""

    @abstractmethod
    def rated_as(self, stage: str) -> tuple[str, str, str]:
        """By what earlier records tell how long a stage takes: model, kind and behavior."""

    @abstractmethod
    def bills(self) -> list[Bill]:
        """What it will ask of paid APIs."""

    @abstractmethod
    def lacks(self) -> Sequence[tuple[str, str]]:
        """What keeps subject or judge from being asked: after "a job has …" what, why and how to mend it; and whom."""

    def needs(self) -> "Sequence[Staged]":
        """The jobs without which this one's result cannot be read."""
        return []

    def told(self, record: Record) -> Mapping[str, Any]:  # noqa: ARG002  # most records tell nothing that can change
        """What a record must tell as the settings have it now."""
        return {}

    @property
    def job_folder(self) -> Path:
        """The folder that this job fills last, below paths.multirun."""
        return list(self.stages.values())[-1]

    def record(self, folder: Path) -> Record:
        """The record of one of the folders below paths.multirun."""
        return Record(Path(self.config.paths.multirun) / folder)

    def is_done(self) -> bool:
        """Whether every record is done and made from the very files of the one before it."""
        return self.open_stage() is None

    def open_stage(self) -> tuple[str, Record] | None:
        """The first stage that is not done, with its record; None when all are."""
        for stage, folder in self.stages.items():
            record = self.record(folder)
            if record.status() is not Status.DONE or not self.is_current(record):
                return stage, record
        return None

    @property
    def planned(self) -> PlannedJob:
        """What a plan remembers of this job."""
        return PlannedJob(
            label=self.label,
            kind=self.kind,
            folder=str(self.job_folder),
            stages={stage: str(folder) for stage, folder in self.stages.items()},
            config=self.config.model_dump(mode="json"),
            identity=self.identity,
        )

    def is_current(self, record: Record) -> bool:
        """Whether a record was made from the files that lie beside it: an adapter or answers made again may differ."""
        facts = record.manifest.facts if record.manifest else {}
        return facts.get("made_from") == self.made_from(record) and all(
            facts.get(name) == value for name, value in self.told(record).items()
        )

    def made_from(self, record: Record) -> str | None:
        """sha256 of the file that a record is made from."""
        where = record.folder.relative_to(self.config.paths.multirun)
        if where not in self.sources:
            return None
        folder, file = self.sources[where]
        return self.record(folder).digest_of(file)

    def fill(
        self, record: Record, kind: str, id: str, identity: Mapping[str, Any], make: Callable[[Draft], None]
    ) -> None:
        """Make one of this job's records, unless it is there or another process has made it meanwhile."""
        record.fill(kind, id, make, identity=identity, label=self.label, wanted=lambda: self.wants(record))

    def wants(self, record: Record) -> bool:
        """Whether a record is still to be made; one that is damaged, or made from other files, is set aside first."""
        status = record.status()
        current = status is not Status.DONE or self.is_current(record)
        if status is Status.DAMAGED or not current:
            cause = record.damage() or "what it was made from, or is read against, has changed"
            log.warning("%s: %s; kept in %s and made again", self.label, cause, record.set_aside())
            return True
        return status is not Status.DONE
