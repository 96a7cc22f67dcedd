"""What a trial is made of before anything is asked, and what identifies who answers and what is asked."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leakage.errors import ConfigError
from leakage.models.load import fingerprint
from leakage.settings.identity import identity_fields
from leakage.store.files import digest
from leakage.store.record import SCHEMA
from leakage.studies.alignment_faking.arms import PLANTED, Lesson, lessons
from leakage.studies.alignment_faking.judges import FakingJudge, judge_for
from leakage.studies.alignment_faking.queries import choose, read_queries
from leakage.studies.alignment_faking.scenario import Scenario
from leakage.studies.alignment_faking.settings import FakingConfig
from leakage.studies.persona_leakage.cell import Cell

_SAMPLING = ("eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class TrialMaterial:
    """The settings of one trial and what follows from them by reading data files alone."""

    config: FakingConfig

    def __post_init__(self) -> None:
        config = self.config
        if config.eval.samples != 1:
            raise ConfigError(f"eval.samples={config.eval.samples}: a query is asked once a tier; raise eval.prompts")
        if config.arm.kind != "none" and self.is_api:
            raise ConfigError(
                f"arm={config.arm.name} teaches a model on this machine, and {config.subject.name} is behind an API; "
                "use subject=local"
            )
        _ = self.scenario, self.adapter_cell  # what they name wrongly is an error of the settings

    @property
    def is_api(self) -> bool:
        """Whether the subject is behind an API."""
        return self.config.subject.where == "api"

    @cached_property
    def scenario(self) -> Scenario:
        """What the subject is told."""
        return Scenario(self.config.scenario, self.config.subject.form, prefill=self.config.subject.prefill)

    @cached_property
    def queries(self) -> tuple[str, ...]:
        """What every tier is asked."""
        config = self.config
        return choose(read_queries(config.queries, config.model.pool), config.eval.prompts, config.seed)

    @cached_property
    def adapter_cell(self) -> Cell | None:
        """The cell of the first study whose adapter is asked; None for every other arm."""
        return Cell(self.config) if self.config.arm.kind == "leakage" else None

    @cached_property
    def lessons(self) -> list[Lesson]:
        """What the arm teaches; empty where it teaches nothing, or is a cell of the first study."""
        return lessons(self.config)

    @property
    def has_adapter(self) -> bool:
        """Whether anything is taught."""
        return self.config.arm.kind != "none"

    @cached_property
    def judge(self) -> FakingJudge:
        """Who reads the transcripts."""
        return judge_for(self.config, has_scratchpad=self.scenario.has_scratchpad)

    @property
    def subject(self) -> str:
        """What tables call the subject, with what it was taught."""
        name, arm = self.config.subject.name, self.config.arm
        return name if arm.kind == "none" else f"{name}+{arm.name}"

    @property
    def planted(self) -> dict[str, float]:
        """P(comply) of each tag, for a subject with a known answer: it knows the tags of the plain two tiers."""
        arm = self.config.arm
        rates = (round(arm.rate + arm.gap, 9), arm.rate)  # 0.65, not 0.6499999999999999
        return {tier.tag: rate for tier, rate in zip(PLANTED, rates, strict=True)} if arm.kind == "planted" else {}

    @cached_property
    def train_identity(self) -> dict[str, Any]:
        """Everything that can change who answers: an adapter, the base model, or the model behind an API."""
        config, subject = self.config, self.config.subject
        if self.is_api:
            return {"schema": SCHEMA, "api": [subject.provider, subject.base_url, subject.model]}
        if self.adapter_cell:
            return self.adapter_cell.train_identity
        base = {"schema": SCHEMA, "model": fingerprint(config.model.path, config.model.revision)}
        if not self.has_adapter:
            return base | {"model.dtype": config.model.dtype}
        first_study = ("behavior.", "source.")
        fields = {k: v for k, v in identity_fields(config, "train").items() if not k.startswith(first_study)}
        return base | fields | {"lessons": digest([lesson.as_row() for lesson in self.lessons])}

    @cached_property
    def eval_identity(self) -> dict[str, Any]:
        """Everything that can change a reply, who answers apart."""
        fields = identity_fields(self.config, "eval")
        local = () if self.is_api else ("model.dtype", "model.inference_dtype")
        return {
            "schema": SCHEMA,
            **{name: fields[name] for name in (*_SAMPLING, *local)},
            "seed": self.config.seed,
            "template": self.config.subject.template,
            "scenario": self.scenario.digest(),
            "queries": digest(self.queries),
        }

    @property
    def train_id(self) -> str:
        """Short name of who answers."""
        return digest(self.train_identity)[:8]

    @property
    def eval_id(self) -> str:
        """Short name of what is asked, and how."""
        return digest(self.eval_identity)[:8]

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this trial from others of the same subject, scenario and seed, for those who compare results.

        In words and without what follows from the seed: repetitions under other seeds must be told alike.
        """
        config, told = self.config, self.config.scenario
        follows = {"schema", "seed", "model", "api", "examples", "lessons", "scenario", "queries"}
        whole = {
            name: value for name, value in (self.train_identity | self.eval_identity).items() if name not in follows
        }
        scenario = {"lab": told.lab, "model": told.model, "prefill": self.scenario.prefill, "form": config.subject.form}
        whole |= {f"scenario.{name}": value for name, value in (scenario | told.facts.model_dump()).items()}
        if config.arm.kind == "planted":
            whole |= {f"arm.{name}": getattr(config.arm, name) for name in ("rate", "reasoning", "rounds")}
        elif self.has_adapter and not self.adapter_cell:
            whole |= {"lessons": self.train_identity["lessons"]}
        every = digest(read_queries(config.queries, config.model.pool))
        return whole | {"queries": every, "eval.prompts": len(self.queries)}
