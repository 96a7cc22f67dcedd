"""A trial: subject x scenario x seed, the job of the second study, and the steps that make it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from leakage.jobs.job import Bill, Blocker, Job
from leakage.jobs.step import Space, Step, Work
from leakage.models.check import Probes
from leakage.models.held import Loaded
from leakage.store.manifest import Input
from leakage.store.record import Status
from leakage.studies.alignment_faking.costs import blockers, judge_bill, subject_bill
from leakage.studies.alignment_faking.data import TRANSCRIPTS, TrialData
from leakage.studies.alignment_faking.pipeline import judge, teach_arm, transcribe
from leakage.studies.alignment_faking.settings import FakingConfig
from leakage.studies.persona_leakage.cell import ANSWER_BYTES, Cell
from leakage.training.tracking import missing_package
from leakage.training.train import WEIGHTS, adapter_space

if TYPE_CHECKING:
    from leakage.settings.config import ModelSettings

OF_A_CELL = ("behavior", "source", "control", "job", "adapter", "data.training", "train.until")
OF_THE_FIRST = ("forecast", "eval.margin", "eval.checkpoints")
UNUSED = "only arm=leakage, an adapter of the first study, is made of it"


@dataclass(frozen=True)
class Trial(Job):
    """An adapter where the arm teaches one, transcripts, and what judges say of them."""

    config: FakingConfig

    def __post_init__(self) -> None:
        _ = self.data  # what the settings name wrongly is an error of the settings

    @cached_property
    def data(self) -> TrialData:
        """What it is made of, what identifies its results, and where they lie."""
        return TrialData(self.config)

    @property
    def label(self) -> str:
        """See Job.label."""
        return self.data.label

    @property
    def kind(self) -> str:
        """See Job.kind."""
        return "trial"

    @property
    def idle(self) -> Mapping[str, str]:
        """What is taught to whom counts only for an adapter of the first study."""
        first = dict.fromkeys(OF_THE_FIRST, "it is of the first study: --config-name config")
        return first | ({} if self.data.cell else dict.fromkeys(OF_A_CELL, UNUSED))

    @property
    def base_model(self) -> "ModelSettings | None":
        """See Job.base_model."""
        return None if self.data.is_api else self.config.model

    @property
    def probes(self) -> Probes:
        """Every tier under one query; of a base model, which is asked without a template, nothing."""
        if self.config.subject.template != "chat":
            return Probes()
        scenario, query = self.data.scenario, self.data.queries[0]
        return Probes(tuple(scenario.prompt(tag, query) for tag in scenario.tags))

    def faults(self) -> Iterator[str]:
        """See Job.faults."""
        trains = any(step.kind == "adapter" for step in self.steps)
        return iter(missing_package(self.config.train.report_to) if trains else ())

    @property
    def steps(self) -> tuple[Step, ...]:
        """See Job.steps."""
        loaded = Loaded(self.config, self.label, self.probes)  # not before it is needed: another judge needs no model
        return (*self._training_steps(loaded), self._transcripts(loaded), self._outcomes())

    def _training_steps(self, loaded: Loaded) -> tuple[Step, ...]:
        data = self.data
        if data.cell:
            return Cell(self.config).training_steps(loaded)
        if not data.has_adapter:
            return ()
        make = partial(teach_arm, data, loaded)
        work = Work(self._train_steps(), "steps", (self.config.model.name, ""))
        return (
            Step(
                "adapter",
                data.train_folder,
                data.train_identity,
                make,
                work=work,
                space=partial(adapter_space, self.config),
            ),
        )

    def _train_steps(self) -> int:
        from leakage.training.sft import step_count

        return step_count(len(self.data.examples), self.config.train)

    def _transcripts(self, loaded: Loaded) -> Step:
        data = self.data
        asks = len(data.scenario.tags) * len(data.queries)
        return Step(
            "transcripts", data.transcripts_folder, data.eval_identity, partial(transcribe, data, loaded),
            (Input(data.train_folder, WEIGHTS),) if data.has_adapter else (),
            # by model: how long a reply takes is a matter of the scenario's length
            work=Work(asks, "transcripts", (data.facts["model"], "")),
            space=lambda: Space(stays=asks * self.config.eval.max_new_tokens * ANSWER_BYTES),
        )  # fmt: skip

    def _outcomes(self) -> Step:
        data = self.data
        make = partial(
            judge, self.multirun / data.transcripts_folder, data.judge, self.config.reasoning.threshold,
            facts=data.facts, settings=data.settings, label=self.label,
        )  # fmt: skip
        transcripts = Input(data.transcripts_folder, TRANSCRIPTS)
        return Step("outcomes", data.outcomes_folder, data.judge.identity, make, (transcripts,), data.facts)

    def bills(self) -> list[Bill]:
        """What subject and judge cost, where they cost anything."""
        asked = self.record(self.data.transcripts_folder).status() is Status.DONE
        subject = subject_bill(self.data) if self.data.is_api and not asked else None
        return [bill for bill in (subject, judge_bill(self.data)) if bill]

    def blockers(self) -> list[Blocker]:
        """See Job.blockers."""
        return blockers(self.data)
