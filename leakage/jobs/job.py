"""A job: what a sweep, a plan, a preflight and an estimate know of one composed config, of whichever study."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.jobs.step import Step
from leakage.models.check import Probes
from leakage.store.plans import PlannedJob, PlannedStep
from leakage.store.record import Record, Status
from leakage.store.status import status

if TYPE_CHECKING:
    from leakage.settings.config import Config, ModelSettings

Overrides = tuple[str, ...]


@dataclass(frozen=True)
class Bill:
    """What a job will ask of a paid API.

    payee: judge or subject; replies: what it is paid for: completions, votes
    usd, most: US dollars, usually and at most; tokens: for all asks together, 0 where nobody counts them
    """

    payee: str
    replies: str
    asks: int
    usd: float
    most: float
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True)
class Blocker:
    """What keeps a part of a job from being done now. what: after "a job has …", with the cause and the mend."""

    what: str
    who: str = ""


class Job(ABC):
    """One composed config and the steps that follow from it. A study defines one; what it leaves out has a default."""

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
    def steps(self) -> tuple[Step, ...]:
        """The records it fills, in order. What they share, a loaded model, lives as long as the tuple."""

    @property
    def base_model(self) -> "ModelSettings | None":
        """The model that must be on the machine; None where there is none."""
        return self.config.model

    @property
    def probes(self) -> Probes:
        """What its chat template must not make one thing of."""
        return Probes()

    @property
    def idle(self) -> Mapping[str, str]:
        """Settings, or groups of them, that change nothing in this job; for each, what would make them count."""
        return {}

    @property
    def remarks(self) -> Sequence[str]:
        """What a plan says of it for whoever asked to confirm, a sentence each."""
        return ()

    def needs(self) -> "Sequence[Job]":
        """The jobs without which this one's result cannot be read."""
        return ()

    def needs_overrides(self, overrides: Overrides) -> list[Overrides]:  # noqa: ARG002  # most need nothing
        """The overrides that compose what it needs, from its own."""
        return []

    def bills(self) -> list[Bill]:
        """What it will ask of paid APIs."""
        return []

    def faults(self) -> Iterator[str]:
        """What of its own would make it fail, a sentence each with the mend."""
        return iter(())

    def blockers(self) -> list[Blocker]:
        """What keeps a part of it from being done now."""
        return []

    def foretold(self) -> str:
        """What is known of its result before it runs, where a plan is to say that; made where it is not there yet."""
        return ""

    @property
    def multirun(self) -> Path:
        """The folder of all results."""
        return Path(self.config.paths.multirun)

    @property
    def folder(self) -> Path:
        """The folder of the job, that of its last step; below paths.multirun."""
        return self.steps[-1].folder

    def record(self, folder: Path) -> Record:
        """The record of one of the folders below paths.multirun."""
        return Record(self.multirun / folder)

    def open_step(self) -> Step | None:
        """The first step that is not done; None when all are."""
        return next((step for step in self.steps if status(self.multirun, step) is not Status.DONE), None)

    def is_done(self) -> bool:
        """Whether every step is done."""
        return self.open_step() is None

    @property
    def planned(self) -> PlannedJob:
        """What a plan remembers of the job."""
        steps = self.steps
        planned = (PlannedStep(kind=one.kind, folder=one.folder, id=one.id, facts=dict(one.facts)) for one in steps)
        return PlannedJob(
            label=self.label,
            kind=self.kind,
            folder=str(steps[-1].folder),
            steps=tuple(planned),
            config=self.config.model_dump(mode="json"),
            identity={one.kind: dict(one.identity) for one in steps},
        )
