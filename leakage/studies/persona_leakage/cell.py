"""A cell: one job of the first study, the steps that make it, and what it is read against."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from leakage.jobs.job import Bill, Blocker, Job, Overrides
from leakage.jobs.step import Space, Step, Work, fill
from leakage.models.check import Probes
from leakage.models.held import Loaded
from leakage.models.memory import state_bytes
from leakage.store.manifest import Input
from leakage.store.record import Status
from leakage.studies.persona_leakage.choices import openings
from leakage.studies.persona_leakage.contexts import probes
from leakage.studies.persona_leakage.data import CellData
from leakage.studies.persona_leakage.faults import faults
from leakage.studies.persona_leakage.files import ANSWERS, COMPLETIONS
from leakage.studies.persona_leakage.forecast import foretell, told_again
from leakage.studies.persona_leakage.identity import CellIdentity, without_place
from leakage.studies.persona_leakage.idle import idle_settings
from leakage.studies.persona_leakage.margins import measure_margins
from leakage.studies.persona_leakage.needs import baseline_of, geometry_of, overrides_of_needs
from leakage.studies.persona_leakage.own_rows import in_words
from leakage.studies.persona_leakage.pipeline import bring, elicit, measure_geometry, question, teach
from leakage.studies.persona_leakage.predictors import refuse_unknown
from leakage.studies.persona_leakage.scoring import score
from leakage.studies.persona_leakage.settings import CellConfig
from leakage.studies.persona_leakage.trajectory import measure_trajectory
from leakage.training.train import WEIGHTS, adapter_space

if TYPE_CHECKING:
    import pandas as pd

LATER = "set it, or launch all the same and judge later: python -m leakage rejudge"
ANSWER_BYTES = 2  # a token of a completion on the disk, compressed with what stands beside it


@dataclass(frozen=True)
class Cell(Job):
    """Behavior x source x model x seed; without a source a baseline, or the geometry of the base model."""

    config: CellConfig

    def __post_init__(self) -> None:
        refuse_unknown(self.config.predictors)
        _ = self.ids  # what the settings name wrongly is an error of the settings

    @cached_property
    def data(self) -> CellData:
        """What it is made of."""
        return CellData(self.config)

    @cached_property
    def ids(self) -> CellIdentity:
        """What identifies its results, and where they lie."""
        return CellIdentity(self.data)

    @property
    def label(self) -> str:
        """See Job.label."""
        return self.data.label

    @property
    def kind(self) -> str:
        """See Job.kind."""
        return "geometry" if self.config.job == "geometry" else "baseline" if self.data.is_baseline else "cell"

    @property
    def idle(self) -> Mapping[str, str]:
        """See Job.idle."""
        return idle_settings(self.ids, self.kind)

    @property
    def remarks(self) -> Sequence[str]:
        """What the rows of a file were taken for, whom the settings name for the opposite, and whose adapter it is."""
        data, said = self.data, []
        if data.has_own_rows:
            said.append(f"{self.config.data.training.path} for {self.label}: {in_words(data.examples)}")
        elif data.is_trained and (named := self.config.behavior.negatives):
            said.append(f"{self.label}: the opposite is taught under {', '.join(named)}")
        if data.adapter:
            strange = data.adapter.strange_base(self.config.model)
            use = "trained on" if data.is_trained else f"asked as it is, with {data.source.name} as its source"
            said.append(f"{self.config.adapter.path}: {use}{f'; {strange}' if strange else ''}")
        return said

    @property
    def steps(self) -> tuple[Step, ...]:
        """See Job.steps."""
        loaded = Loaded(self.config, self.label, self.probes)  # not before it is needed: another judge needs no model
        if self.kind == "geometry":
            return (self._geometry(loaded),)
        training = self.training_steps(loaded)
        forecast = (self._forecast(loaded),) if self.is_forecast else ()
        before = (*training[:-1], *forecast, *training[-1:], *self._margins(loaded))
        return (*before, self._completions(loaded), self._scores())

    @property
    def is_forecast(self) -> bool:
        """Whether it is told who will take the behavior up before that is taught."""
        return self.config.forecast and self.kind == "cell" and self.data.is_trained

    @property
    def probes(self) -> Probes:
        """Every persona under one question, and the labels of what is chosen from."""
        data = self.data
        if self.kind == "geometry":
            return Probes(probes(data.personas.members, data.questions[0].prompt))
        labels = dict.fromkeys(map(openings, data.prompts)) if data.evaluated.choices else {}
        return Probes(probes(data.personas.members, data.prompts[0].prompt), tuple(labels))

    def training_steps(self, loaded: Loaded) -> tuple[Step, ...]:
        """Generated answers, where the settings ask for these, and the adapter; nothing for a baseline."""
        if self.data.is_baseline:
            return ()
        ids = self.ids
        if not self.data.is_trained:
            return (Step("adapter", ids.adapter_folder, ids.train, partial(bring, ids), space=self._brought_space),)
        elicited = (Input(ids.answers_folder, ANSWERS),) if ids.answers else ()
        adapter = Step(
            "adapter", ids.adapter_folder, ids.train, partial(teach, ids, loaded), elicited,
            work=Work(self._train_steps(), "steps", (self.config.model.name, self.data.behavior.name)),
            space=partial(adapter_space, self.config, along=len(ids.along)),
            facts={"along": ids.along} if ids.along else {},
        )  # fmt: skip
        answers = Step("answers", ids.answers_folder, ids.answers, partial(elicit, ids, loaded))
        return (answers, adapter) if elicited else (adapter,)

    def _brought_space(self) -> Space:
        assert self.data.adapter
        return Space(stays=sum(file.stat().st_size for file in self.data.adapter.files))

    def _forecast(self, loaded: Loaded, *, planned: bool = False) -> Step:
        ids, personas = self.ids, len(self.data.personas.members)
        elicited = (Input(ids.answers_folder, ANSWERS),) if ids.answers else ()
        make = partial(foretell, ids, loaded, planned=planned)
        return Step(
            "predictors", ids.predictors_folder, ids.predictors, make, elicited,
            work=Work(personas, "personas", (self.config.model.name, self.data.evaluated.name)),
        )  # fmt: skip

    def foretold(self) -> str:
        """See Job.foretold."""
        if not self.is_forecast:
            return ""
        step = self._forecast(Loaded(self.config, self.label, self.probes), planned=True)
        if any(self.record(one.folder).status() is not Status.DONE for one in step.inputs):
            return f"forecast of {self.label}: not before its answers are there, which a model gives"
        fill(self.multirun, step, label=self.label)
        return told_again(self.ids)

    def _train_steps(self) -> int:
        from leakage.training.sft import step_count

        return step_count(len(self.data.examples), self.config.train)

    @property
    def _asks(self) -> int:
        """Answers it is made of."""
        samples = 1 if self.data.evaluated.choices else self.config.eval.samples
        return len(self.data.personas.members) * len(self.data.prompts) * samples

    @property
    def _adapter(self) -> tuple[Input, ...]:
        return () if self.data.is_baseline else (Input(self.ids.adapter_folder, WEIGHTS),)

    def _margins(self, loaded: Loaded) -> Iterator[Step]:
        """Before the completions, which an adapter in float64 is merged for."""
        ids, config = self.ids, self.config
        work = Work(len(self.data.personas.members), "personas", (config.model.name, self.data.evaluated.name))
        if config.eval.margin and ids.taught_answers:
            make = partial(measure_margins, ids, loaded)
            yield Step("margins", ids.margins_folder, ids.margins, make, self._adapter, work=work)
        if ids.along:
            make = partial(measure_trajectory, ids, loaded)
            yield Step("trajectory", ids.trajectory_folder, ids.trajectory, make, self._adapter, work=work)

    def _completions(self, loaded: Loaded) -> Step:
        ids, data, asks = self.ids, self.data, self._asks
        return Step(
            "completions", ids.completions_folder, ids.evaluation, partial(question, ids, loaded), self._adapter,
            work=Work(asks, "completions", (self.config.model.name, data.evaluated.name)),
            space=lambda: Space(stays=asks * self.config.eval.max_new_tokens * ANSWER_BYTES),
        )  # fmt: skip

    def _scores(self) -> Step:
        ids = self.ids
        make = partial(
            score, self.multirun / ids.completions_folder, ids.judge, behavior=self.data.evaluated, facts=ids.facts,
            settings=lambda: ids.settings, personas=self._parts, label=self.label,
        )  # fmt: skip
        completions = Input(ids.completions_folder, COMPLETIONS)
        return Step("scores", ids.scores_folder, ids.judge.identity, make, (completions,), without_place(ids.facts))

    def _parts(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(self.data.parts())

    def _geometry(self, loaded: Loaded) -> Step:
        ids, personas = self.ids, len(self.data.personas.members)
        return Step(
            "geometry", ids.geometry_folder, ids.geometry, partial(measure_geometry, ids, loaded),
            work=Work(personas * len(self.data.questions), "prompts", (self.config.model.name, "")),
            space=lambda: Space(stays=state_bytes(self.config.model) * personas),
        )  # fmt: skip

    def needs(self) -> "list[Cell]":
        """The geometry and the baseline without which this cell's result cannot be read."""
        geometry, baseline = Cell(geometry_of(self.config)), Cell(baseline_of(self.config))
        return {"geometry": [], "baseline": [geometry], "cell": [geometry, baseline]}[self.kind]

    def needs_overrides(self, overrides: Overrides) -> list[Overrides]:
        """See Job.needs_overrides."""
        needed = overrides_of_needs(self.data, overrides)
        return {"geometry": [], "baseline": needed[:1], "cell": needed}[self.kind]

    def bills(self) -> list[Bill]:
        """What a judge costs, where it costs anything."""
        if self.kind == "geometry" or not (usd := self.ids.judge.usd_each()):
            return []
        return [Bill("judge", "completions", self._asks, self._asks * usd, self._asks * usd)]

    def faults(self) -> Iterator[str]:
        """See Job.faults."""
        return faults(self.ids) if self.kind == "cell" else iter(())

    def blockers(self) -> list[Blocker]:
        """A judge that could not be asked."""
        if self.kind == "geometry" or not (lacks := self.ids.judge.lacks()) or self._is_judged():
            return []
        return [Blocker(f"answers to be judged, but {lacks}; {LATER}")]

    def _is_judged(self) -> bool:
        """Whether the judge's replies to all answers are there already."""
        answers = self.record(self.ids.completions_folder)
        return answers.status() is Status.DONE and self.ids.judge.can_read(answers.folder / COMPLETIONS)
