"""A cell: what it is (ids), where it lives (folders) and how it stands (status)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leakage.config import identity_fields
from leakage.judges import Judge, judge_for
from leakage.material import Material
from leakage.models import fingerprint, headline_layer, measured_layers
from leakage.personas import NONE
from leakage.pools import read_file
from leakage.store.files import digest
from leakage.store.plans import PlannedJob
from leakage.store.record import SCHEMA, Record, Status
from leakage.store.standing import ANSWERS, COMPLETIONS, WEIGHTS

_ID_LENGTH = 8  # hex digits of a digest in a folder's name
_SAMPLING = ("eval.samples", "eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class Cell(Material):
    """One job: its material, and what identifies its adapter, its completions, their scores and its geometry."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.headline  # a layer the model lacks is an error of the settings as well

    @cached_property
    def headline(self) -> str:
        """The cosine definition of headline numbers, as frames and figures call it: 20_raw."""
        centred = self.config.model.headline.centred
        return f"{headline_layer(self.config.model)}_{'centred' if centred else 'raw'}"

    @cached_property
    def judge(self) -> Judge:
        """Who scores the completions."""
        return judge_for(self.config.judge, self.evaluated, self.config.model.pool, Path(self.config.paths.multirun))

    @cached_property
    def answers_identity(self) -> dict[str, Any]:
        """Everything that can change generated answers; empty where the answers come with the items."""
        by = self.config.behavior.answers
        if by == "templates":
            return {}
        model, judge = self.config.model, self.config.judge
        base = {name: value for name, value in self._sampled.items() if name != "eval.samples"}
        base |= {"model.dtype": model.dtype, "model.inference_dtype": model.inference_dtype}
        made_by = {
            "base": self._base | base,
            "claude": {"judge.model": judge.model, "judge.max_tokens": judge.max_tokens},
        }
        rules = self.behavior.rules(read_file(self.config.model.pool, self.behavior.pool))
        return {
            "schema": SCHEMA,
            **made_by[by],
            "behavior": self.behavior.name,
            "prompts": digest([item.prompt for item in self.training_items]),
            "elicit": digest([item.prompt for item in self.items(self.behavior, "elicit")]),
            "markers": digest(rules.markers if rules else ()),
        }

    @property
    def _base(self) -> dict[str, Any]:
        return {"model": fingerprint(self.config.model.path, self.config.model.revision)}

    @property
    def _sampled(self) -> dict[str, Any]:
        return {name: value for name, value in identity_fields(self.config, "eval").items() if name in _SAMPLING}

    @cached_property
    def train_identity(self) -> dict[str, Any]:
        """Everything that can change the adapter; of a baseline, what can change the base model."""
        base = {"schema": SCHEMA} | self._base
        if self.is_baseline:
            return base | {"model.dtype": self.config.model.dtype}
        made_by = {"answers": digest(self.answers_identity)} if self.answers_identity else {}
        rows = [example.as_row() for example in self.examples]
        return base | identity_fields(self.config, "train") | made_by | {"examples": digest(rows)}

    @cached_property
    def eval_identity(self) -> dict[str, Any]:
        """Everything that can change what is sampled or chosen, the adapter apart."""
        fields = identity_fields(self.config, "eval") | {"behavior.name": self.evaluated.name}
        kept = {name: value for name, value in fields.items() if not (self.evaluated.choices and name in _SAMPLING)}
        return {
            "schema": SCHEMA,
            **kept,
            "personas": digest([[one.name, one.prompt] for one in self.personas.members]),
            "prompts": digest([(one.prompt, one.labels, one.answer if one.labels else "") for one in self.prompts]),
        }

    @cached_property
    def geometry_identity(self) -> dict[str, Any]:
        """Everything that can change the centroids."""
        return {
            "schema": SCHEMA,
            **self._base,
            **identity_fields(self.config, "geometry"),
            "model.layers": list(measured_layers(self.config.model)),
            "personas": digest([[one.name, one.prompt] for one in self.personas.members]),
            "questions": digest([item.prompt for item in self.questions]),
        }

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
        if self.is_baseline:
            return told
        geometry, baseline = self.needs()  # what a reader joins the scores with
        return told | {"baseline": str(baseline.eval_folder), "geometry": str(geometry.geometry_folder)}

    @property
    def train_id(self) -> str:
        """Short name of the adapter, or of the base model for a baseline."""
        return digest(self.train_identity)[:_ID_LENGTH]

    @property
    def eval_id(self) -> str:
        """Short name of the evaluation; a cell and its baseline share it."""
        return digest(self.eval_identity)[:_ID_LENGTH]

    @property
    def geometry_id(self) -> str:
        """Short name of the geometry."""
        return digest(self.geometry_identity)[:_ID_LENGTH]

    @property
    def answers_folder(self) -> Path:
        """Where generated answers live, below paths.multirun."""
        name = f"answers-{digest(self.answers_identity)[:_ID_LENGTH]}"
        return Path(self.config.model.name, self.behavior.name, name)

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
