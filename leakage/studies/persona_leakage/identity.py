"""What identifies the results of a cell, the short ids that follow, and the folders named after them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leakage.models.fingerprint import headline_layer, measured_layers, model_identity
from leakage.network import judge_identity
from leakage.settings.identity import engine_identity, identity_fields
from leakage.store.files import digest
from leakage.store.manifest import SCHEMA
from leakage.studies.persona_leakage.data import CellData, baseline_of, geometry_of
from leakage.studies.persona_leakage.judges import Judge, judge_for
from leakage.studies.persona_leakage.settings import CellConfig

PREDICTORS = 1  # raise it when a predictor is computed otherwise
_LENGTH = 8  # hex digits of a digest in a folder's name
_DRAWN = {  # what says which examples are drawn, where they are
    "behavior.source_examples", "behavior.bystanders", "behavior.bystander_examples", "behavior.no_persona_examples",
    "behavior.anchors", "behavior.sham", "behavior.answers",
}  # fmt: skip
_SAMPLING = ("eval.samples", "eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class CellIdentity:
    """What identifies a cell's adapter, its completions, their scores and its geometry, and where they lie.

    Folders are below paths.multirun. Of a baseline the adapter's identity is that of the base model.
    """

    data: CellData

    def __post_init__(self) -> None:
        _ = self.headline  # a layer the model lacks is an error of the settings as well

    @property
    def config(self) -> CellConfig:
        """The settings of the cell."""
        return self.data.config

    @property
    def multirun(self) -> Path:
        """The folder of all results."""
        return Path(self.config.paths.multirun)

    @cached_property
    def headline(self) -> str:
        """The cosine definition of headline numbers, as frames and figures call it: 20_raw."""
        centred = self.config.model.headline.centred
        return f"{headline_layer(self.config.model)}_{'centred' if centred else 'raw'}"

    @cached_property
    def judge(self) -> Judge:
        """Who scores the completions."""
        return judge_for(self.config.judge, self.data.evaluated, self.config.model.pool, self.multirun)

    @cached_property
    def answers(self) -> dict[str, Any]:
        """Everything that can change generated answers; empty where the answers come with the items."""
        by = self.config.behavior.answers
        if by == "templates" or self.data.has_own_rows or not self.data.is_trained:
            return {}
        model, judge = self.config.model, self.config.judge
        base = {name: value for name, value in self._sampled.items() if name != "eval.samples"}
        base |= {"model.dtype": model.dtype, "model.inference_dtype": model.inference_dtype}
        made_by = {
            "base": self._base | base,
            "claude": {"judge.model": judge.model, "judge.max_tokens": judge.max_tokens} | judge_identity(judge),
        }
        rules = self.data.behavior.rules_in(self.config.model.pool)
        return {
            "schema": SCHEMA,
            **made_by[by],
            "behavior": self.data.behavior.name,
            "prompts": digest([item.prompt for item in self.data.training_items]),
            "elicit": digest([item.prompt for item in self.data.items(self.data.behavior, "elicit")]),
            "markers": digest(rules.markers if rules else ()),
        }

    @property
    def _base(self) -> dict[str, Any]:
        return model_identity(self.config.model)

    @property
    def _sampled(self) -> dict[str, Any]:
        return {name: value for name, value in identity_fields(self.config, "eval").items() if name in _SAMPLING}

    @cached_property
    def train(self) -> dict[str, Any]:
        """Everything that can change the adapter; of a baseline, what can change the base model."""
        base = {"schema": SCHEMA} | self._base
        if self.data.is_baseline:
            return base | {"model.dtype": self.config.model.dtype}
        if not self.data.is_trained:
            return base | {"model.dtype": self.config.model.dtype} | self._outside
        made_by = {"answers": digest(self.answers)} if self.answers else {}
        rows = [example.as_row() for example in self.data.examples]
        return base | self._taught_with | self._outside | made_by | {"examples": digest(rows)}

    @property
    def _outside(self) -> dict[str, Any]:
        """The adapter that was made elsewhere, by its content."""
        return {"adapter": self.data.adapter.digest} if self.data.adapter else {}

    @property
    def _taught_with(self) -> dict[str, Any]:
        """The settings of training; of a file's rows without those by which examples are drawn, and on top of an
        adapter without those of a fresh one."""
        fields = identity_fields(self.config, "train")
        idle = set(_DRAWN) if self.data.has_own_rows else set()
        idle |= {name for name in fields if name.startswith("lora.")} if self.data.adapter else set()
        return {name: value for name, value in fields.items() if name not in idle}

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """Everything that can change what is sampled or chosen, the adapter apart."""
        prompts = self.data.prompts
        fields = (
            identity_fields(self.config, "eval")
            | engine_identity(self.config)
            | {"behavior.name": self.data.evaluated.name}
        )
        unsampled = _SAMPLING if self.data.evaluated.choices else ()
        return {
            "schema": SCHEMA,
            **{name: value for name, value in fields.items() if name not in unsampled},
            "personas": digest(self.data.personas.rows),
            "prompts": digest([(one.prompt, one.labels, one.answer if one.labels else "") for one in prompts]),
        }

    @cached_property
    def geometry(self) -> dict[str, Any]:
        """Everything that can change the centroids."""
        return {
            "schema": SCHEMA,
            **self._base,
            **identity_fields(self.config, "geometry"),
            "model.layers": list(measured_layers(self.config.model)),
            "personas": digest(self.data.personas.rows),
            "questions": digest([item.prompt for item in self.data.questions]),
        }

    @cached_property
    def predictors(self) -> dict[str, Any]:
        """Everything that can change what predictors measure; what it shares with the adapter's tells it is of that."""
        train = identity_fields(self.config, "train")
        return {
            "schema": SCHEMA,
            "predictors": PREDICTORS,
            **self._base,
            **{name: value for name, value in train.items() if name == "seed" or name.startswith("lora.")},
            "model.dtype": self.config.model.dtype,
            "model.layers": list(measured_layers(self.config.model)),
            "examples": self.train["examples"],
            **({"answers": self.train["answers"]} if self.answers else {}),
            "personas": digest(self.data.personas.rows),
            "questions": digest([item.prompt for item in self.data.questions]),
            "measured": self.data.evaluated.name,
        }

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
        elsewhere = {"schema", "behavior.name", "source.name", "seed", "examples"}
        asked_about = {"questions": digest([item.prompt for item in self.data.questions])}
        whole = self._taught_from | self.train | self.evaluation | asked_about
        return {name: value for name, value in whole.items() if name not in elsewhere}

    @property
    def _taught_from(self) -> dict[str, Any]:
        """What the examples are made of; of a file's rows also how many teach the behavior, and how many do not."""
        if not self.data.is_trained:
            return {}
        if not self.data.has_own_rows:
            return {"training prompts": digest([one.model_dump() for one in self.data.training_items])}
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
