"""A cell: what it is (ids), what it is made of (examples, prompts) and where it lives (folders)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leakage.behaviors import Behavior, behavior, behavior_names
from leakage.behaviors.contrastive import Example, contrastive_examples, draw_bystanders
from leakage.config import Config, identity_fields
from leakage.errors import ConfigError
from leakage.models import check_layers, fingerprint
from leakage.personas import NONE, Persona, Personas, read_personas
from leakage.pools import Item, read_pool
from leakage.store.files import digest
from leakage.store.record import SCHEMA, Record, Status

WEIGHTS = "adapter/adapter_model.safetensors"  # as peft saves them, below the adapter's folder
_ID_LENGTH = 8  # hex digits of a digest in a folder's name


@dataclass(frozen=True)
class Cell:
    """One job's settings together with all that follows from them, before anything is computed."""

    config: Config

    def __post_init__(self) -> None:
        check_layers(self.config.model)
        if self.config.behavior.name not in behavior_names():
            known = ", ".join(behavior_names())
            raise ConfigError(f"behavior.name={self.config.behavior.name}: no such behavior; there are {known}")
        if not self.is_baseline:
            _ = self.source  # an unknown persona is an error of the settings, not of the run

    @property
    def is_baseline(self) -> bool:
        """Whether the base model itself is evaluated."""
        return self.config.source.name == NONE

    @cached_property
    def behavior(self) -> Behavior:
        """The behavior taught and evaluated."""
        return behavior(self.config.behavior.name)

    @cached_property
    def personas(self) -> Personas:
        """Everyone who is evaluated."""
        return read_personas(self.config.personas.path)

    @property
    def source(self) -> Persona:
        """The persona that is taught."""
        return self.personas[self.config.source.name]

    @cached_property
    def bystanders(self) -> list[Persona]:
        """The personas trained on the opposite, drawn with the cell's seed."""
        count = self.config.behavior.bystanders
        return draw_bystanders(self.source, self.personas.originals(), count=count, seed=self.config.seed)

    @property
    def pool(self) -> tuple[Item, ...]:
        """The prompts of the training set, each with the answer that opposes the behavior."""
        return read_pool(self.config.model.pool, self.config.behavior.name, "train")

    @cached_property
    def examples(self) -> list[Example]:
        """The training set."""
        wanted = self.config.behavior
        default = next((one.prompt for one in self.personas.members if not one.in_panel), None)
        return contrastive_examples(
            self.behavior,
            self.pool,
            source=self.source,
            bystanders=self.bystanders,
            default_prompt=default,
            source_examples=wanted.source_examples,
            bystander_examples=wanted.bystander_examples,
            no_persona_examples=wanted.no_persona_examples,
            seed=self.config.seed,
        )

    @cached_property
    def prompts(self) -> tuple[Item, ...]:
        """The held-out prompts every persona is asked."""
        items = read_pool(self.config.model.pool, self.config.behavior.name, "eval")
        if len(items) < self.config.eval.prompts:
            raise ConfigError(
                f"eval.prompts={self.config.eval.prompts}: pool '{self.config.model.pool}' has {len(items)} "
                f"evaluation prompts for {self.config.behavior.name}; ask for fewer or add some"
            )
        return items[: self.config.eval.prompts]

    @cached_property
    def questions(self) -> tuple[Item, ...]:
        """The questions the centroids are averaged over."""
        return read_pool(self.config.model.pool, "questions", "geometry")

    def parts(self) -> list[dict[str, Any]]:
        """The part every persona plays in this cell, one row each."""
        source = None if self.is_baseline else self.source
        negatives = {one.name for one in self.bystanders} if source else set()
        return [
            {
                "persona": one.name,
                "category": one.category,
                "related_to": " ".join(one.related_to),
                "system": one.prompt,
                "is_source": one == source,
                "in_panel": one.in_panel,
                "trained_negative": one.name in negatives,
                "shares_word": bool(source and one.shares_word(source)),
            }
            for one in self.personas.members
        ]

    @cached_property
    def train_identity(self) -> dict[str, Any]:
        """Everything that can change the adapter; of a baseline, what can change the base model."""
        base = {"schema": SCHEMA, "model": fingerprint(self.config.model.path, self.config.model.revision)}
        if self.is_baseline:
            return base | {"model.dtype": self.config.model.dtype}
        rows = [example.as_row() for example in self.examples]
        return base | identity_fields(self.config, "train") | {"examples": digest(rows)}

    @cached_property
    def eval_identity(self) -> dict[str, Any]:
        """Everything that can change what is sampled and how it is scored, the adapter apart."""
        return {
            "schema": SCHEMA,
            **identity_fields(self.config, "eval"),
            "personas": digest([[one.name, one.prompt] for one in self.personas.members]),
            "prompts": digest([item.prompt for item in self.prompts]),
            "markers": digest(self.behavior.markers),
        }

    @cached_property
    def geometry_identity(self) -> dict[str, Any]:
        """Everything that can change the centroids."""
        return {
            "schema": SCHEMA,
            "model": fingerprint(self.config.model.path, self.config.model.revision),
            **identity_fields(self.config, "geometry"),
            "personas": digest([[one.name, one.prompt] for one in self.personas.members]),
            "questions": digest([item.prompt for item in self.questions]),
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this cell from others of the same behavior, source and seed, for those who compare results."""
        told_elsewhere = {"schema", "behavior.name", "source.name", "seed", "examples"}
        taught_from = {} if self.is_baseline else {"training prompts": digest([one.model_dump() for one in self.pool])}
        whole = taught_from | self.train_identity | self.eval_identity
        return {name: value for name, value in whole.items() if name not in told_elsewhere}

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
    def train_folder(self) -> Path:
        """Where the adapter lives, below paths.multirun."""
        name = f"base-{self.train_id}" if self.is_baseline else f"seed{self.config.seed}-{self.train_id}"
        return Path(self.config.model.name, self.behavior.name, self.config.source.name, name)

    @property
    def eval_folder(self) -> Path:
        """Where the completions and scores live, below paths.multirun."""
        return self.train_folder / f"{self.behavior.name}-{self.eval_id}"

    @property
    def geometry_folder(self) -> Path:
        """Where the centroids live, below paths.multirun."""
        return Path(self.config.model.name, f"geometry-{self.geometry_id}")

    @property
    def job_folder(self) -> Path:
        """The folder that this job fills, below paths.multirun."""
        return self.geometry_folder if self.config.job == "geometry" else self.eval_folder

    def record(self, folder: Path) -> Record:
        """The record of one of the folders above."""
        return Record(Path(self.config.paths.multirun) / folder)

    @property
    def records(self) -> list[Record]:
        """The records this job fills, in the order in which it does."""
        trains = self.config.job == "cell" and not self.is_baseline
        return [self.record(folder) for folder in ([self.train_folder] if trains else []) + [self.job_folder]]

    def is_done(self) -> bool:
        """Whether every record is done, and the answers are those of the adapter that lies beside them."""
        return all(record.status() is Status.DONE for record in self.records) and self.answers_are_current()

    def answers_are_current(self) -> bool:
        """Whether the answers came from this very adapter; made again, it may differ where training does not repeat."""
        if len(self.records) == 1:
            return True
        adapter, answers = (record.manifest for record in self.records)
        return bool(adapter and answers and answers.facts.get("adapter") == adapter.files[WEIGHTS].sha256)

    def failure(self) -> str | None:
        """What the records say went wrong."""
        return next((reason for record in self.records if (reason := record.failure())), None)

    @property
    def label(self) -> str:
        """How messages call the job."""
        if self.config.job == "geometry":
            return f"geometry of {self.config.model.name}"
        name = f"{self.config.behavior.name} x {self.config.source.name}"
        seed = "" if self.is_baseline else f", seed {self.config.seed}"
        return f"{'baseline of ' + self.behavior.name if self.is_baseline else name} on {self.config.model.name}{seed}"

    def needs(self) -> list["Cell"]:
        """The geometry and the baseline without which this cell's result cannot be read."""
        if self.config.job == "geometry":
            return []
        geometry = self.config.model_copy(update={"job": "geometry"})
        nobody = self.config.source.model_copy(update={"name": NONE})
        baseline = self.config.model_copy(update={"source": nobody})
        return [Cell(geometry)] if self.is_baseline else [Cell(geometry), Cell(baseline)]
