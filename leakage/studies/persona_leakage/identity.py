"""What identifies the results of a job: everything that can change them, and the short ids that follow."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leakage.data.pools import read_file
from leakage.models.load import fingerprint, headline_layer, measured_layers
from leakage.settings.identity import identity_fields
from leakage.store.files import digest
from leakage.store.record import SCHEMA
from leakage.studies.persona_leakage.data import Material
from leakage.studies.persona_leakage.judges import Judge, judge_for

_LENGTH = 8  # hex digits of a digest in a folder's name
_SAMPLING = ("eval.samples", "eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class Identified(Material):
    """The material of a job, and what identifies its adapter, its completions, their scores and its geometry."""

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
    def train_id(self) -> str:
        """Short name of the adapter, or of the base model for a baseline."""
        return digest(self.train_identity)[:_LENGTH]

    @property
    def eval_id(self) -> str:
        """Short name of the evaluation; a cell and its baseline share it."""
        return digest(self.eval_identity)[:_LENGTH]

    @property
    def geometry_id(self) -> str:
        """Short name of the geometry."""
        return digest(self.geometry_identity)[:_LENGTH]

    @property
    def answers_id(self) -> str:
        """Short name of generated answers."""
        return digest(self.answers_identity)[:_LENGTH]
