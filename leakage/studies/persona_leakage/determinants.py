"""Everything that can change each result of a cell: what identifies it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from leakage.data.pools import Item
from leakage.models.fingerprint import headline_layer, measured_layers, model_identity
from leakage.network import judge_identity
from leakage.settings.identity import engine_identity, identity_fields
from leakage.store.files import digest
from leakage.store.manifest import SCHEMA
from leakage.studies.persona_leakage.data import CellData
from leakage.studies.persona_leakage.judges import Judge, judge_for
from leakage.studies.persona_leakage.settings import CellConfig
from leakage.training.dose import EVERY, NEAR

PREDICTORS = 1  # raise it when a predictor is computed otherwise
CONTRASTS = 8  # held-out prompts of which margins are measured
_DRAWN = {  # what says which examples are drawn, where they are
    "behavior.source_examples", "behavior.bystanders", "behavior.bystander_examples", "behavior.no_persona_examples",
    "behavior.anchors", "behavior.sham", "behavior.answers",
}  # fmt: skip
_SAMPLING = ("eval.samples", "eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class Determinants:
    """What identifies a cell's adapter, its completions, their scores, its geometry and its predictors.

    Of a baseline the adapter's identity is that of the base model.
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
        return base | self._taught_with | self._outside | made_by | self._dose | {"examples": digest(rows)}

    @property
    def _dose(self) -> dict[str, Any]:
        """Everything that can change where training ends, where a dose ends it."""
        if self.config.train.until is None:
            return {}
        rules = self.data.behavior.rules_in(self.config.model.pool)
        prompts = [(one.prompt, one.labels, one.answer) if one.labels else one.prompt for one in self.data.dose_items]
        return {"dose": digest([self._sampled, prompts, list(rules.markers if rules else ()), (EVERY, NEAR)])}

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
    def taught_answers(self) -> list[tuple[Item, str]]:
        """The first held-out prompts that the behavior measured has a taught answer to, each with one: drawn as for
        training, and the same for all cells."""
        one, rng = self.data.evaluated, Random("margins")
        pairs = [(item, one.taught(rng, item)) for item in self.data.prompts[:CONTRASTS]]
        return [(item, answer) for item, answer in pairs if answer]

    @cached_property
    def margins(self) -> dict[str, Any]:
        """Everything that can change margins, the adapter apart."""
        rules = self.data.evaluated.rules_in(self.config.model.pool)
        return {
            "schema": SCHEMA,
            "model.dtype": self.config.model.dtype,
            "behavior.name": self.data.evaluated.name,
            "personas": digest(self.data.personas.rows),
            "contrasts": digest([(item.prompt, item.answer, taught) for item, taught in self.taught_answers]),
            "markers": digest(rules.markers if rules else ()),
        }

    @cached_property
    def along(self) -> list[int]:
        """The steps after which the adapter is kept on its way, in equal parts of its training; its last is not among
        them. They change nothing in it, and are thus no part of its identity."""
        from leakage.training.sft import step_count

        parts = self.config.eval.checkpoints
        if parts is None or not self.data.is_trained or not self.taught_answers:
            return []
        last = step_count(len(self.data.examples), self.config.train)
        return sorted({round(last * part / parts) for part in range(1, parts)} - {0, last})

    @cached_property
    def trajectory(self) -> dict[str, Any]:
        """Everything that can change a trajectory, the adapter apart."""
        return self.margins | {"along": self.along}

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
            **({"only": sorted(set(self.config.predictors))} if self.config.predictors is not None else {}),
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
