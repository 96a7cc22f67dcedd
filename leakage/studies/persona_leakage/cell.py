"""A cell: what it is (its identity), where it lives (folders) and what it needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.data.personas import NONE
from leakage.jobs.job import Bill, Staged
from leakage.jobs.status import ANSWERS, COMPLETIONS, WEIGHTS
from leakage.store.files import digest
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.identity import Identified

if TYPE_CHECKING:
    from leakage.settings.config import ModelSettings

LATER = "set it, or launch all the same and judge later: python -m leakage rejudge"


@dataclass(frozen=True)
class Cell(Identified, Staged):
    """One job of the first study: where its results are, what they are made from and whether they are there."""

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
    def stages(self) -> dict[str, Path]:
        """The folders this job fills, below paths.multirun, by the kind of their record and in order."""
        if self.config.job == "geometry":
            return {"geometry": self.geometry_folder}
        adapter = {} if self.is_baseline else {"adapter": self.train_folder}
        return adapter | {"completions": self.eval_folder, "scores": self.scores_folder}

    @property
    def kind(self) -> str:
        """geometry, baseline or cell."""
        return "geometry" if self.config.job == "geometry" else "baseline" if self.is_baseline else "cell"

    @property
    def identity(self) -> dict[str, Any]:
        """See Staged.identity."""
        if self.kind == "geometry":
            return {"geometry": self.geometry_identity}
        judged = {"judge": self.judge.identity, "answers": self.answers_identity}
        return {"train": self.train_identity, "eval": self.eval_identity, **judged}

    @property
    def sources(self) -> dict[Path, tuple[Path, str]]:
        """Scores are made from completions, these from an adapter, it from generated answers."""
        before = {self.scores_folder: (self.eval_folder, COMPLETIONS)}
        if not self.is_baseline:
            before[self.eval_folder] = (self.train_folder, WEIGHTS)
        if self.answers_identity:
            before[self.train_folder] = (self.answers_folder, ANSWERS)
        return before

    def told(self, record: Record) -> dict[str, Any]:
        """Scores must be told as the settings have it now: a new headline or geometry is another meaning."""
        told = self.facts if record.folder == self.record(self.scores_folder).folder else {}
        return {name: value for name, value in told.items() if name != "settings"}

    @property
    def base_model(self) -> "ModelSettings":
        """See Staged.base_model."""
        return self.config.model

    def units(self, stage: str) -> int:
        """See Staged.units."""
        from leakage.training.sft import step_count

        samples = 1 if self.evaluated.choices else self.config.eval.samples
        count = {
            "adapter": lambda: step_count(len(self.examples), self.config.train),
            "completions": lambda: len(self.personas.members) * len(self.prompts) * samples,
            "geometry": lambda: len(self.personas.members) * len(self.questions),
        }
        return count[stage]() if stage in count else 0

    def rated_as(self, stage: str) -> tuple[str, str, str]:
        """See Staged.rated_as."""
        behavior = {"adapter": self.behavior.name, "completions": self.evaluated.name}.get(stage, "")
        return self.config.model.name, stage, behavior

    def bills(self) -> list[Bill]:
        """See Staged.bills: what a judge costs, where it costs anything."""
        each = self.judge.usd_each() if self.kind != "geometry" else 0.0
        answers = self.units("completions") if each else 0
        return [Bill("judge", answers, answers * each, answers * each)] if each else []

    def lacks(self) -> list[tuple[str, str]]:
        """See Staged.lacks: a judge that could not be asked."""
        if self.kind == "geometry" or not (lacks := self.judge.lacks()) or self._is_judged():
            return []
        return [(f"answers to be judged, but {lacks}; {LATER}", "")]

    def _is_judged(self) -> bool:
        """Whether the judge's replies to all answers are there already."""
        answers = self.record(self.eval_folder)
        return answers.status() is Status.DONE and self.judge.can_read(answers.folder / COMPLETIONS)

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
