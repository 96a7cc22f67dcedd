"""Arguments that several commands take, and what they stand for."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, StoreError
from leakage.progress import waiting

if TYPE_CHECKING:
    import pandas as pd

MULTIRUN = Path("multirun")


def add_multirun(command: argparse.ArgumentParser) -> None:
    """--multirun: where the results lie."""
    command.add_argument("--multirun", type=_folder, default=MULTIRUN, help="results (default: %(default)s)")


def add_points(command: argparse.ArgumentParser) -> None:
    """--points: an outside result instead."""
    command.add_argument(
        "--points", type=Path, metavar="FILE.csv",
        help="an outside result instead: behavior, source, persona, cosine, delta",
    )  # fmt: skip


def add_study(command: argparse.ArgumentParser, *, usual: str | None = "leakage") -> None:
    """--study: which of the two studies; `usual` None = every one that has results."""
    told = "default: %(default)s" if usual else "default: every one that has results"
    command.add_argument("--study", choices=("leakage", "faking"), default=usual, help=told)


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


def frame_of(given: argparse.Namespace, study: str, *, may_be_empty: bool = False) -> "pd.DataFrame":
    """The tidy frame of a study's results, or of the points; a sentence where nothing is there that must be."""
    if given.points:
        from leakage.studies.persona_leakage.points import read_points

        if study != "leakage":
            raise ConfigError("--points are results of the first study; leave out --study or --points")
        return read_points(given.points)
    read, one, first = STUDIES[study]
    with waiting("reading results"):
        frame = read(existing(given.multirun))
    if frame.empty and not may_be_empty:
        others = [name for name in STUDIES if name != study and not STUDIES[name][0](given.multirun).empty]
        there = f", but there are results of the other study (--study {others[0]})" if others else ""
        raise StoreError(f"no finished {one} below {given.multirun}{there}; run one first: {first}")
    return frame


def studies_with_results(given: argparse.Namespace, *, validated: bool = False) -> list[str]:
    """The study that was named, or else all that have results; where none has, one to say so.

    validated: a validation of the judge is a result of the second study too
    """
    if given.study or given.points:
        return [given.study or "leakage"]
    from leakage.store.find import find

    kinds = {one.manifest.kind for one in find(existing(given.multirun)) if one.manifest}
    second = {"outcomes", "validation"} if validated else {"outcomes"}
    found = [study for study, own in (("leakage", {"scores"}), ("faking", second)) if own & kinds]
    return found or ["faking" if "validation" in kinds else "leakage"]


def _cells(multirun: Path) -> "pd.DataFrame":
    from leakage.studies.persona_leakage.results import results

    return results(multirun)


def _trials(multirun: Path) -> "pd.DataFrame":
    from leakage.studies.alignment_faking.results import trials

    return trials(multirun)


STUDIES = {
    "leakage": (_cells, "cell", "python run.py"),
    "faking": (_trials, "trial", "python run.py --config-name faking"),
}
