"""A cell: what it is (its identity), where it lives (folders) and how it stands (status)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakage.identity import Identified
from leakage.personas import NONE
from leakage.store.files import digest
from leakage.store.plans import PlannedJob
from leakage.store.record import Draft, Record, Status
from leakage.store.standing import ANSWERS, COMPLETIONS, WEIGHTS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell(Identified):
    """One job: where its results are, what they are made from and whether they are there."""

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this cell from others of the same behavior, source and seed, for those who compare results."""
        told_elsewhere = {"schema", "behavior.name", "source.name", "seed", "examples"}
        items = () if self.is_baseline else self.training_items
        taught_from = {"training prompts": digest([one.model_dump() for one in items])} if items else {}
        asked_about = {"questions": digest([item.prompt for item in self.questions])}
        whole = taught_from | self.train_identity | self.eval_identity | asked_about
        return {name: value for name, value in whole.items() if name not in told_elsewhere}

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader needs beside the numbers: none of it changes a completion, all of it the meaning of a score."""
        told = {
            "model": self.config.model.name,
            "pool": self.config.model.pool,
            "taught": self.behavior.name,
            "behavior": self.evaluated.name,
            "source": self.config.source.name,
            "seed": self.config.seed,
            "train_id": self.train_id,
            "eval_id": self.eval_id,
            "design": self.config.behavior.design,
            "headline": self.headline,
            "choice": self.config.model.headline.choice,
            "personas": digest(self.parts()),
            "settings": self.settings,
        }
        if self.is_baseline:  # one for all seeds and designs, and thus told without
            return {name: value for name, value in told.items() if name not in {"seed", "design"}}
        geometry, baseline = self.needs()  # what a reader joins the scores with
        return told | {"baseline": str(baseline.eval_folder), "geometry": str(geometry.geometry_folder)}

    @property
    def answers_folder(self) -> Path:
        """Where generated answers live, below paths.multirun."""
        return Path(self.config.model.name, self.behavior.name, f"answers-{self.answers_id}")

    @property
    def train_folder(self) -> Path:
        """Where the adapter lives, below paths.multirun."""
        name = f"base-{self.train_id}" if self.is_baseline else f"seed{self.config.seed}-{self.train_id}"
        return Path(self.config.model.name, self.behavior.name, self.config.source.name, name)

    @property
    def eval_folder(self) -> Path:
        """Where the completions live, below paths.multirun."""
        return self.train_folder / f"{self.evaluated.name}-{self.eval_id}"

    @property
    def scores_folder(self) -> Path:
        """Where a judge's verdicts and scores live, below paths.multirun."""
        return self.eval_folder / self.judge.folder

    @property
    def geometry_folder(self) -> Path:
        """Where the centroids live, below paths.multirun."""
        return Path(self.config.model.name, f"geometry-{self.geometry_id}")

    @property
    def job_folder(self) -> Path:
        """The folder that this job fills last, below paths.multirun."""
        return self.geometry_folder if self.config.job == "geometry" else self.scores_folder

    def record(self, folder: Path) -> Record:
        """The record of one of the folders above."""
        return Record(Path(self.config.paths.multirun) / folder)

    @property
    def stages(self) -> dict[str, Path]:
        """The folders this job fills, below paths.multirun, by the kind of their record and in order."""
        if self.config.job == "geometry":
            return {"geometry": self.geometry_folder}
        adapter = {} if self.is_baseline else {"adapter": self.train_folder}
        return adapter | {"completions": self.eval_folder, "scores": self.scores_folder}

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
        kind = "geometry" if self.config.job == "geometry" else "baseline" if self.is_baseline else "cell"
        identity = {"geometry": self.geometry_identity} if kind == "geometry" else {
            "train": self.train_identity, "eval": self.eval_identity, "judge": self.judge.identity,
            "answers": self.answers_identity,
        }  # fmt: skip
        return PlannedJob(
            label=self.label,
            kind=kind,
            folder=str(self.job_folder),
            stages={stage: str(folder) for stage, folder in self.stages.items()},
            config=self.config.model_dump(mode="json"),
            identity=identity,
        )

    def is_current(self, record: Record) -> bool:
        """Whether a record was made from the files that lie beside it: an adapter or answers made again may differ.

        Scores must also be told as the settings have it now: a new headline or geometry is another meaning.
        """
        facts = record.manifest.facts if record.manifest else {}
        if facts.get("made_from") != self.made_from(record):
            return False
        told = self.facts if record.folder == self.record(self.scores_folder).folder else {}
        return all(facts.get(name) == value for name, value in told.items() if name != "settings")

    def made_from(self, record: Record) -> str | None:
        """sha256 of what a record is made from: scores of completions, these of an adapter, it of generated answers."""
        before = {self.scores_folder: (self.eval_folder, COMPLETIONS)}
        if not self.is_baseline:
            before[self.eval_folder] = (self.train_folder, WEIGHTS)
        if self.answers_identity:
            before[self.train_folder] = (self.answers_folder, ANSWERS)
        where = record.folder.relative_to(self.config.paths.multirun)
        if where not in before:
            return None
        folder, file = before[where]
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

    @property
    def label(self) -> str:
        """How messages call the job."""
        if self.config.job == "geometry":
            return f"geometry of {self.config.model.name}"
        if self.is_baseline:
            return f"baseline of {self.evaluated.name} on {self.config.model.name}"
        read = "" if self.evaluated == self.behavior else f" read for {self.evaluated.name}"
        design = "" if self.config.behavior.design == "published" else f" ({self.config.behavior.design})"
        name = f"{self.behavior.name}{design} x {self.config.source.name}{read}"
        return f"{name} on {self.config.model.name}, seed {self.config.seed}"

    def needs(self) -> list["Cell"]:
        """The geometry and the baseline without which this cell's result cannot be read."""
        if self.config.job == "geometry":
            return []
        geometry = self.config.model_copy(update={"job": "geometry"})
        nobody = self.config.source.model_copy(update={"name": NONE})
        measured = self.config.behavior.model_copy(update={"name": self.evaluated.name})
        own = self.config.eval.model_copy(update={"behavior": None})
        baseline = self.config.model_copy(update={"source": nobody, "behavior": measured, "eval": own})
        return [Cell(geometry)] if self.is_baseline else [Cell(geometry), Cell(baseline)]
