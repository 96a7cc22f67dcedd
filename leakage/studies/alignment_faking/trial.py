"""A trial: subject x scenario x seed, the cell of the second study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.jobs.job import Bill, Staged
from leakage.jobs.status import TRANSCRIPTS, WEIGHTS
from leakage.store.record import Record, Status
from leakage.studies.alignment_faking.data import TrialMaterial

if TYPE_CHECKING:
    from leakage.settings.config import ModelSettings

STUDY = "faking"  # the folder of this study's adapters below a model's


@dataclass(frozen=True)
class Trial(TrialMaterial, Staged):
    """One job of the second study: an adapter where the arm teaches one, transcripts, and what judges say of them."""

    @property
    def identity(self) -> dict[str, Any]:
        """See Staged.identity."""
        return {"train": self.train_identity, "eval": self.eval_identity, "judge": self.judge.identity}

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
        from leakage.studies.alignment_faking.costs import judge_bill, subject_bill

        asked = self.record(self.transcripts_folder).status() is Status.DONE
        subject = [subject_bill(self)] if self.is_api and not asked else []
        judge = judge_bill(self)
        return [*subject, *([judge] if judge else [])]

    def lacks(self) -> list[tuple[str, str]]:
        """See Staged.lacks."""
        from leakage.studies.alignment_faking.costs import lacking

        return lacking(self)
