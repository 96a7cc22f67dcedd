"""What a trial is made of before anything is asked, and what identifies who answers and what is asked."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leakage.errors import ConfigError
from leakage.models.fingerprint import model_identity
from leakage.network import address_identity, fields_identity
from leakage.settings.identity import engine_identity, identity_fields
from leakage.store.files import digest
from leakage.store.manifest import SCHEMA
from leakage.studies.alignment_faking.arms import PLANTED, TrainingExample, training_examples
from leakage.studies.alignment_faking.judges import FakingJudge, judge_for
from leakage.studies.alignment_faking.queries import choose, read_queries
from leakage.studies.alignment_faking.scenario import Scenario
from leakage.studies.alignment_faking.settings import FakingConfig
from leakage.studies.alignment_faking.transcript import Words
from leakage.studies.persona_leakage.identity import CellIdentity, identity_of

STUDY = "faking"  # the folder of this study's adapters below a model's
TRANSCRIPTS = "transcripts.parquet"
_SAMPLING = ("eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class TrialData:
    """The settings of one trial, what follows from them by reading data files alone, and what identifies its results.

    Folders are below paths.multirun.
    """

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
        _ = self.scenario, self.cell  # what they name wrongly is an error of the settings

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
    def cell(self) -> CellIdentity | None:
        """The cell of the first study whose adapter is asked; None for every other arm."""
        return identity_of(self.config) if self.config.arm.kind == "leakage" else None

    @cached_property
    def examples(self) -> list[TrainingExample]:
        """What the arm teaches; empty where it teaches nothing, or is a cell of the first study."""
        return training_examples(self.config)

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
            who = {"schema": SCHEMA, "api": [subject.provider, address_identity(subject), subject.model]}
            return who | fields_identity(subject)
        if self.cell:
            return self.cell.train
        base = {"schema": SCHEMA} | model_identity(config.model)
        if not self.has_adapter:
            return base | {"model.dtype": config.model.dtype}
        first_study = ("behavior.", "source.")
        fields = {k: v for k, v in identity_fields(config, "train").items() if not k.startswith(first_study)}
        return base | fields | {"lessons": digest([example.as_row() for example in self.examples])}

    @cached_property
    def eval_identity(self) -> dict[str, Any]:
        """Everything that can change a reply, who answers apart."""
        fields = identity_fields(self.config, "eval")
        local = () if self.is_api else ("model.dtype", "model.inference_dtype")
        most = self.config.subject.max_tokens
        other: dict[str, Any] = {} if self.is_api else engine_identity(self.config)
        other |= {"max_tokens": most} if self.is_api and most != self.config.eval.max_new_tokens else {}
        other |= {"words": words} if (words := asdict(self.scenario.words)) != asdict(Words()) else {}
        return other | {
            "schema": SCHEMA,
            **{name: fields[name] for name in (*_SAMPLING, *local)},
            "seed": self.config.seed,
            "template": self.config.subject.template,
            "scenario": self.scenario.digest(),
            "queries": digest(self.queries),
        }

    @cached_property
    def train_id(self) -> str:
        """Short name of who answers."""
        return digest(self.train_identity)[:8]

    @cached_property
    def eval_id(self) -> str:
        """Short name of what is asked, and how."""
        return digest(self.eval_identity)[:8]

    @property
    def label(self) -> str:
        """How messages call the trial."""
        return f"{self.subject} in {self.config.scenario.name}, seed {self.config.seed}"

    @property
    def multirun(self) -> Path:
        """The folder of all results."""
        return Path(self.config.paths.multirun)

    @property
    def train_folder(self) -> Path:
        """Where the adapter lives, or what stands for an untaught subject."""
        if self.cell:
            return self.cell.adapter_folder
        if not self.has_adapter:
            return Path(self.config.subject.name, STUDY, f"{'api' if self.is_api else 'base'}-{self.train_id}")
        return Path(self.config.model.name, STUDY, self.config.arm.name, f"seed{self.config.seed}-{self.train_id}")

    @property
    def transcripts_folder(self) -> Path:
        """Where the transcripts live."""
        return self.train_folder / f"{self.config.scenario.name}-{self.eval_id}"

    @property
    def outcomes_folder(self) -> Path:
        """Where votes and outcomes live."""
        return self.transcripts_folder / self.judge.folder

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader needs beside the replies."""
        config, tags = self.config, self.scenario.tags
        return {
            "study": STUDY,
            "subject": self.subject,
            "model": config.subject.model if self.is_api else config.model.name,
            "arm": config.arm.name,
            "scenario": config.scenario.name,
            "seed": config.seed,
            "tiers": list(tags),
            # what a gap tells by default is left out, as it was before there were other words
            "gaps": [gap.model_dump(mode="json", exclude_defaults=True) for gap in config.scenario.gaps],
            "planted": {tag: rate for tag, rate in self.planted.items() if tag in tags},
            "has_scratchpad": self.scenario.has_scratchpad,
            "train_id": self.train_id,
            "eval_id": self.eval_id,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this trial from others of the same subject, scenario and seed, for those who compare results.

        In words and without what follows from the seed: repetitions under other seeds must be told alike.
        """
        config, chosen = self.config, self.config.scenario
        follows = {"schema", "seed", "model", "api", "examples", "lessons", "scenario", "queries"}
        whole = {
            name: value for name, value in (self.train_identity | self.eval_identity).items() if name not in follows
        }
        scenario = {
            "lab": chosen.lab,
            "model": chosen.model,
            "prefill": self.scenario.prefill,
            "form": config.subject.form,
        }
        whole |= {f"scenario.{name}": value for name, value in (scenario | chosen.facts.model_dump()).items()}
        if config.arm.kind == "planted":
            whole |= {f"arm.{name}": getattr(config.arm, name) for name in ("rate", "reasoning", "rounds")}
        elif self.has_adapter and not self.cell:
            whole |= {"lessons": self.train_identity["lessons"]}
        every = digest(read_queries(config.queries, config.model.pool))
        return whole | {"queries": every, "eval.prompts": len(self.queries)}
