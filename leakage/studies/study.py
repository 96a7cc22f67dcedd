"""A study: what the rest of the house has to know of it. Everything is named, and imported when it is asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from leakage.errors import ConfigError
from leakage.studies.checking import Again

if TYPE_CHECKING:
    import pandas as pd

    from leakage.jobs.job import Job
    from leakage.report.drawing import Drawing
    from leakage.settings.compose import Options
    from leakage.settings.config import Config
    from leakage.store.artifact import Part
    from leakage.store.record import Record
    from leakage.studies.answers import AnswerSet
    from leakage.studies.checking import Remark, Sample

Name = str  # "module:attribute"


Compose = Callable[[Sequence[str]], "Config"]


class Validated(Protocol):
    """What comes of a validation: a table, and what it says in words."""

    @property
    def table(self) -> "pd.DataFrame":
        """AUROC for every number of votes."""
        ...

    def in_words(self) -> str:
        """What the table comes to."""
        ...


@dataclass(frozen=True)
class View:
    """A table of a study's frame: the function that makes it, what it shows, and why it may have no rows."""

    of: Name
    shows: str
    empty: str = "no result has what it needs"

    def make(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """The table of a frame."""
        table: pd.DataFrame = imported(self.of)(frame)
        return table


@dataclass(frozen=True)
class Importer:
    """How results that were made elsewhere come in.

    what: they are, as the command is called; named: options that say what the file cannot, each with what it means
    columns: of their file, by name with what each holds
    """

    of: Name
    what: str
    shows: str
    named: Mapping[str, str]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """One entry of the registry.

    name: as --study calls it; config: its primary config in conf/; one: what one result is called
    kinds: of the records that hold its results; more_kinds: of records that only its figures are drawn from
    first: a command that makes a first result; second_judge: overrides that let another judge read it
    recomputer: what of a record does not follow from what it was made of, for `verify`
    regenerator: a share of what a model said, asked anew; answerer: what models said, for other tools
    carder: what a training set of the user's does, on one page
    """

    name: str
    config: str
    one: str
    kinds: frozenset[str]
    first: str
    settings_class: Name
    job_class: Name
    reader: Name
    views: Mapping[str, View]
    printing: Name
    drawer: Name
    reporter: Name
    optioner: Name | None = None
    points_reader: Name | None = None
    rejudger: Name | None = None
    agreer: Name | None = None
    validator: Name | None = None
    importer: Importer | None = None
    more_kinds: frozenset[str] = frozenset()
    second_judge: str = "judge=claude judge.max_usd=5"
    recomputer: Name | None = None
    regenerator: Name | None = None
    answerer: Name | None = None
    carder: Name | None = None

    @property
    def schema(self) -> str:
        """How its primary config names the schema that Hydra checks it against."""
        return f"{self.config}_schema"

    @property
    def shown_by(self) -> str:
        """The command of `python -m leakage` that shows its results."""
        return f"table --study {self.name}"

    def settings(self) -> "type[Config]":
        """The class of its settings."""
        settings: type[Config] = imported(self.settings_class)
        return settings

    def job(self, config: "Config") -> "Job":
        """The job that settings describe."""
        job: Job = imported(self.job_class)(config)
        return job

    def options(self) -> "Options":
        """Config groups without files, and the values that may be chosen."""
        options: Options = imported(self.optioner)() if self.optioner else {}
        return options

    def read(self, multirun: Path) -> "pd.DataFrame":
        """Its finished results below a folder, as one tidy frame; empty where there are none."""
        frame: pd.DataFrame = imported(self.reader)(multirun)
        return frame

    def points(self, *paths: Path, predictors: Mapping[str, int] | None = None) -> "pd.DataFrame":
        """An outside result as its tidy frame. predictors: columns of the files that predict, with their signs"""
        if self.points_reader is None:
            raise ConfigError(f"--points are no results of study {self.name}; leave out --study or --points")
        frame: pd.DataFrame = imported(self.points_reader)(*paths, predictors=predictors or {})
        return frame

    def figures(self, frame: "pd.DataFrame", multirun: Path | None) -> "dict[str, Drawing]":
        """Every figure that there is something to show in; multirun None = the frame is from elsewhere."""
        drawings: dict[str, Drawing] = imported(self.drawer)(frame, multirun)
        return drawings

    def report(
        self, frame: "pd.DataFrame", multirun: Path, folder: Path, *,
        figures: Path, samples: int | None, compose: Compose,
    ) -> Path:  # fmt: skip
        """Write its pages into a folder; the first of them. compose: from overrides to this study's settings."""
        more = {"figures": figures, "samples": samples, "compose": compose}
        index: Path = imported(self.reporter)(frame, multirun, folder, **more)
        return index

    def rejudge(self, config: "Config", *, only: str | None) -> "list[Record]":
        """Let the settings' judge read what is there and it has not read yet; the new records."""
        records: list[Record] = imported(self.rejudger)(config, only=only) if self.rejudger else []
        return records

    def agreement(self, multirun: Path) -> "pd.DataFrame":
        """How far every pair of judges agrees that has read the same replies."""
        assert self.agreer
        table: pd.DataFrame = imported(self.agreer)(multirun)
        return table

    def validate(self, file: str, overrides: Sequence[str], compose: Compose, **columns: str) -> Validated:
        """The judge against labels that people gave.

        compose: from overrides to this study's settings; columns: which of the file's hold what, where it was said
        """
        assert self.validator
        validated: Validated = imported(self.validator)(file, overrides, compose, **columns)
        return validated

    def import_file(self, file: str, overrides: Sequence[str], compose: Compose, **named: str) -> "list[Record]":
        """Bring in what was made elsewhere; the records of its results. named: what its options and columns say"""
        assert self.importer
        records: list[Record] = imported(self.importer.of)(file, overrides, compose, **named)
        return records

    def card(self, file: str, overrides: Sequence[str], compose: Compose, *, out: Path | None) -> tuple[Path, str]:
        """Make what a training set does to everyone else one page; the page, and its verdict in words."""
        assert self.carder
        made: tuple[Path, str] = imported(self.carder)(file, overrides, compose, out)
        return made

    def recompute(self, part: "Part", multirun: Path) -> "Iterator[Remark]":
        """What of a record does not follow from what it was made of; nothing of records of other studies."""
        remarks: Iterator[Remark] = imported(self.recomputer)(part, multirun) if self.recomputer else iter(())
        return remarks

    def regenerate(self, part: "Part", multirun: Path, sample: "Sample", compose: Compose) -> "Again":
        """Ask a sampled share of a record's answers anew; none of records of other studies, or that hold no answers."""
        again: Again = imported(self.regenerator)(part, multirun, sample, compose) if self.regenerator else Again()
        return again

    def answer_sets(self, multirun: Path) -> "Iterator[AnswerSet]":
        """What models said in its finished results."""
        assert self.answerer
        sets: Iterator[AnswerSet] = imported(self.answerer)(multirun)
        return sets

    def telling(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """The columns of one of its tables that matter most, as texts."""
        shown: pd.DataFrame = imported(f"{self.printing}:telling")(table)
        return shown

    def in_words(self, table: "pd.DataFrame") -> str:
        """What its main table comes to."""
        words: str = imported(f"{self.printing}:in_words")(table)
        return words


def imported(name: Name) -> Any:
    """What a name stands for."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
