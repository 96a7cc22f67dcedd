"""A trial: subject x scenario x seed, the cell of the second study."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.cell import Cell
from leakage.errors import ConfigError
from leakage.faking.arms import PLANTED, Lesson, lessons
from leakage.faking.config import FakingConfig
from leakage.faking.judges import FakingJudge, judge_for
from leakage.faking.queries import choose, read_queries
from leakage.faking.scenario import Scenario
from leakage.fields import identity_fields
from leakage.models import fingerprint
from leakage.stages import Bill, Staged
from leakage.store.files import digest
from leakage.store.record import SCHEMA, Record, Status
from leakage.store.standing import TRANSCRIPTS, WEIGHTS

if TYPE_CHECKING:
    from leakage.config import ModelSettings

STUDY = "faking"  # the folder of this study's adapters below a model's
_SAMPLING = ("eval.temperature", "eval.top_p", "eval.max_new_tokens")


@dataclass(frozen=True)
class Trial(Staged):
    """One job of the second study: an adapter where the arm teaches one, transcripts, and what judges say of them."""

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

    # identity

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
    def identity(self) -> dict[str, Any]:
        """See Staged.identity."""
        return {"train": self.train_identity, "eval": self.eval_identity, "judge": self.judge.identity}

    # folders

    @property
    def train_folder(self) -> Path:
        """Where the adapter lives, or what stands for an untaught subject; below paths.multirun."""
        if self.adapter_cell:
            return self.adapter_cell.train_folder
        if not self.has_adapter:
            return Path(self.config.subject.name, STUDY, f"{'api' if self.is_api else 'base'}-{self.train_id}")
        return Path(self.config.model.name, STUDY, self.config.arm.name, f"seed{self.config.seed}-{self.train_id}")

    @property
    def transcripts_folder(self) -> Path:
        """Where the transcripts live, below paths.multirun."""
        return self.train_folder / f"{self.config.scenario.name}-{self.eval_id}"

    @property
    def outcomes_folder(self) -> Path:
        """Where votes and outcomes live, below paths.multirun."""
        return self.transcripts_folder / self.judge.folder

    @property
    def stages(self) -> dict[str, Path]:
        """See Staged.stages."""
        adapter = {"adapter": self.train_folder} if self.has_adapter else {}
        return adapter | {"transcripts": self.transcripts_folder, "outcomes": self.outcomes_folder}

    @property
    def sources(self) -> dict[Path, tuple[Path, str]]:
        """Outcomes are made from transcripts, these from an adapter."""
        adapter = {self.transcripts_folder: (self.train_folder, WEIGHTS)} if self.has_adapter else {}
        earlier = self.adapter_cell.sources if self.adapter_cell else {}
        return earlier | adapter | {self.outcomes_folder: (self.transcripts_folder, TRANSCRIPTS)}

    # what is told of it

    @property
    def label(self) -> str:
        """See Staged.label."""
        return f"{self.subject} in {self.config.scenario.name}, seed {self.config.seed}"

    @property
    def kind(self) -> str:
        """See Staged.kind."""
        return "trial"

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
            "gaps": [gap.model_dump(mode="json") for gap in config.scenario.gaps],
            "planted": {tag: rate for tag, rate in self.planted.items() if tag in tags},
            "has_scratchpad": self.scenario.has_scratchpad,
            "train_id": self.train_id,
            "eval_id": self.eval_id,
            "settings": self.settings,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What tells this trial from others of the same subject, scenario and seed, for those who compare results."""
        elsewhere = {"schema", "seed", "model", "api"}
        whole = self.train_identity | self.eval_identity | {"eval.prompts": len(self.queries)}
        return {name: value for name, value in whole.items() if name not in elsewhere}

    def told(self, record: Record) -> Mapping[str, Any]:
        """Outcomes must be told as the settings have it now: another gap between tiers is another meaning."""
        told = self.facts if record.folder == self.record(self.outcomes_folder).folder else {}
        return {name: value for name, value in told.items() if name != "settings"}

    @property
    def base_model(self) -> "ModelSettings | None":
        """See Staged.base_model."""
        return None if self.is_api else self.config.model

    def units(self, stage: str) -> int:
        """See Staged.units."""
        from leakage.training.sft import step_count

        if stage == "transcripts":
            return len(self.scenario.tags) * len(self.queries)
        if stage != "adapter":
            return 0
        examples = len(self.adapter_cell.examples if self.adapter_cell else self.lessons)
        return step_count(examples, self.config.train)

    def rated_as(self, stage: str) -> tuple[str, str, str]:
        """See Staged.rated_as: by model, since how long a reply takes is a matter of the scenario's length."""
        return self.facts["model"], stage, ""

    def bills(self) -> list[Bill]:
        """See Staged.bills."""
        from leakage.faking.costs import judge_bill, subject_bill

        asked = self.record(self.transcripts_folder).status() is Status.DONE
        subject = [subject_bill(self)] if self.is_api and not asked else []
        judge = judge_bill(self)
        return [*subject, *([judge] if judge else [])]

    def lacks(self) -> list[tuple[str, str]]:
        """See Staged.lacks."""
        from leakage.faking.costs import lacking

        return lacking(self)
