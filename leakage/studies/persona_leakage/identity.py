"""The short ids of a cell's results, and the folders named after them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leakage.store.files import digest
from leakage.studies.persona_leakage.data import CellData
from leakage.studies.persona_leakage.determinants import Determinants
from leakage.studies.persona_leakage.needs import baseline_of, geometry_of
from leakage.studies.persona_leakage.settings import CellConfig

_LENGTH = 8  # hex digits of a digest in a folder's name


@dataclass(frozen=True)
class CellIdentity(Determinants):
    """What identifies the results of a cell, and where they lie: below paths.multirun."""

    @cached_property
    def train_id(self) -> str:
        """Short name of the adapter, or of the base model for a baseline."""
        return digest(self.train)[:_LENGTH]

    @cached_property
    def eval_id(self) -> str:
        """Short name of the evaluation; a cell and its baseline share it."""
        return digest(self.evaluation)[:_LENGTH]

    @cached_property
    def geometry_id(self) -> str:
        """Short name of the geometry."""
        return digest(self.geometry)[:_LENGTH]

    @cached_property
    def answers_id(self) -> str:
        """Short name of generated answers."""
        return digest(self.answers)[:_LENGTH]

    @cached_property
    def predictors_id(self) -> str:
        """Short name of what predictors measure."""
        return digest(self.predictors)[:_LENGTH]

    @property
    def margins_folder(self) -> Path:
        """Where margins live."""
        return self.adapter_folder / f"margins-{digest(self.margins)[:_LENGTH]}"

    @property
    def trajectory_folder(self) -> Path:
        """Where the trajectory lives."""
        return self.adapter_folder / f"trajectory-{digest(self.trajectory)[:_LENGTH]}"

    @property
    def predictors_folder(self) -> Path:
        """Where predictors and forecast live."""
        return Path(
            self.config.model.name, self.data.behavior.name, self.config.source.name, f"predictors-{self.predictors_id}"
        )

    @property
    def answers_folder(self) -> Path:
        """Where generated answers live."""
        return Path(self.config.model.name, self.data.behavior.name, f"answers-{self.answers_id}")

    @cached_property
    def adapter_folder(self) -> Path:
        """Where the adapter lives; of a baseline, what stands for none."""
        kind = f"seed{self.config.seed}" if self.data.is_trained else "base" if self.data.is_baseline else "adapter"
        name = f"{kind}-{self.train_id}"
        return Path(self.config.model.name, self.data.behavior.name, self.config.source.name, name)

    @cached_property
    def completions_folder(self) -> Path:
        """Where the completions live."""
        return self.adapter_folder / f"{self.data.evaluated.name}-{self.eval_id}"

    @property
    def scores_folder(self) -> Path:
        """Where a judge's verdicts and scores live."""
        return self.completions_folder / self.judge.folder

    @property
    def geometry_folder(self) -> Path:
        """Where the centroids live."""
        return Path(self.config.model.name, f"geometry-{self.geometry_id}")

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this cell from others of the same behavior, source and seed, for those who compare results."""
        elsewhere = {"schema", "behavior.name", "source.name", "seed", "examples", "dose"}
        asked_about = {"questions": digest([item.prompt for item in self.data.questions])}
        whole = self._taught_from | self.train | self.evaluation | asked_about
        return {name: value for name, value in whole.items() if name not in elsewhere}

    @property
    def _taught_from(self) -> dict[str, Any]:
        """What the examples are made of; of a file's rows also how many teach the behavior, and how many do not."""
        if not self.data.is_trained:
            return {}
        if not self.data.has_own_rows:
            inoculated = {"behavior.inoculated": True} if self.config.behavior.inoculated else {}
            return {"training prompts": digest([one.model_dump() for one in self.data.training_items])} | inoculated
        source = sum(one.role == "source" for one in self.data.examples)
        counts = {"behavior.source_examples": source, "negative_examples": len(self.data.examples) - source}
        return {"data.training": self.train["examples"]} | counts

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a reader needs beside the numbers: none of it changes a completion, all of it the meaning of a score."""
        facts = {
            "model": self.config.model.name,
            "pool": self.config.model.pool,
            "taught": self.data.behavior.name,
            "behavior": self.data.evaluated.name,
            "source": self.config.source.name,
            "seed": self.config.seed,
            "train_id": self.train_id,
            "eval_id": self.eval_id,
            "design": self.config.behavior.design,
            "headline": self.headline,
            "choice": self.config.model.headline.choice,
            "personas": digest(self.data.parts()),
        }
        if self.data.is_baseline:  # one for all seeds and designs, and thus told without
            return {name: value for name, value in facts.items() if name not in {"seed", "design"}}
        geometry, baseline = (identity_of(other(self.config)) for other in (geometry_of, baseline_of))
        joined = {"baseline": str(baseline.completions_folder), "geometry": str(geometry.geometry_folder)}
        return facts | joined


def without_place(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a record is held to: not where its prompts and phrases lay, whose content is in its identity."""
    return {name: value for name, value in facts.items() if name != "pool"}


def identity_of(config: CellConfig) -> CellIdentity:
    """What identifies the results of a job of the first study."""
    return CellIdentity(CellData(config))
