"""Arguments that several commands take, and what they stand for."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, StoreError
from leakage.progress import waiting
from leakage.settings.overrides import override
from leakage.studies.registry import studies, study_named

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Study

MULTIRUN = Path("multirun")


def add_multirun(command: argparse.ArgumentParser) -> None:
    """--multirun: where the results lie."""
    command.add_argument("--multirun", type=_folder, default=MULTIRUN, help="results (default: %(default)s)")


def add_points(command: argparse.ArgumentParser) -> None:
    """--points: an outside result instead."""
    command.add_argument(
        "--points", type=Path, metavar="FILE", nargs="+", action="extend",
        help="an outside result instead, CSV, JSON or Parquet: behavior, source, persona, cosine, delta",
    )  # fmt: skip
    command.add_argument(
        "--predictor", type=_predictor, metavar="NAME[:-]", nargs="+", action="extend", default=[],
        help="of --points: columns that predict; name:- where a larger value should mean less leakage",
    )  # fmt: skip


def _predictor(text: str) -> tuple[str, int]:
    """A column's name and its sign."""
    name, sign = (text[:-2], text[-1]) if text.endswith((":-", ":+")) else (text, "+")
    if not name.strip():
        raise argparse.ArgumentTypeError("name a column, such as margin, or kl:- where a larger value means less")
    return name.strip().lower(), -1 if sign == "-" else 1


def add_study(command: argparse.ArgumentParser, *, every: bool) -> None:
    """--study: which of the studies; where none is named the first, or `every` one that has results."""
    names = [study.name for study in studies()]
    usual = "every one that has results" if every else names[0]
    command.add_argument("--study", choices=names, default=None if every else names[0], help=f"default: {usual}")


def add_format(command: argparse.ArgumentParser) -> None:
    """--format: how a table is printed."""
    command.add_argument("--format", choices=("rich", "md", "csv"), default="rich", help="default: %(default)s")


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty text names no folder")
    return Path(text)


def existing(multirun: Path) -> Path:
    """The folder of results, if it is there."""
    if not multirun.is_dir():
        raise StoreError(
            f"there is no folder of results '{multirun}'; name it with --multirun, or make one: python run.py"
        )
    return multirun


def where(arguments: argparse.Namespace) -> list[str]:
    """The override that says where results lie; none where the settings say it."""
    return [override("paths.multirun", str(arguments.multirun))] if arguments.multirun != MULTIRUN else []


def frame_of(arguments: argparse.Namespace, study: "Study", *, may_be_empty: bool = False) -> "pd.DataFrame":
    """The tidy frame of a study's results, or of the points; a sentence where nothing is there that must be."""
    if arguments.points:
        return study.points(*arguments.points, predictors=dict(arguments.predictor))
    if named := dict(getattr(arguments, "predictor", ())):
        raise ConfigError(f"--predictor {min(named)} names a column of an outside file; add --points FILE")
    with waiting("reading results"):
        frame = study.read(existing(arguments.multirun))
    if frame.empty and not may_be_empty:
        others = [one for one in with_results(arguments.multirun) if one != study]
        there = f"there are results of another study (--study {others[0].name})" if others else ""
        mend = f", but {there}" if others else f"; run one first: {study.first}"
        raise StoreError(f"no finished {study.one} below {arguments.multirun}{mend}")
    return frame


def chosen_studies(arguments: argparse.Namespace, *, more: bool = False) -> "list[Study]":
    """The study that was named, or else all that have results; where none has, one to say so.

    more: what a study draws figures of beside its results counts as well
    """
    if arguments.study or arguments.points:
        return [study_named(arguments.study) if arguments.study else studies()[0]]
    chosen = with_results(existing(arguments.multirun), more=more)
    return chosen or with_results(arguments.multirun, more=True) or [studies()[0]]


def with_results(multirun: Path, *, more: bool = False) -> "list[Study]":
    """The studies that have results below a folder."""
    from leakage.store.find import find

    kinds = {one.manifest.kind for one in find(multirun) if one.manifest}
    return [study for study in studies() if kinds & (study.kinds | (study.more_kinds if more else set()))]


def only_study(arguments: argparse.Namespace, attribute: str, command: str) -> "Study":
    """The study that a command is for: the one named, or the first that has what the command asks for."""
    able = [study for study in studies() if getattr(study, attribute)]
    named = study_named(arguments.study) if getattr(arguments, "study", None) else able[0]
    if named not in able:
        names = " or ".join(study.name for study in able)
        raise ConfigError(f"{command} is not for study {named.name}; it is for {names}")
    return named
