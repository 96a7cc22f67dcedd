"""Arguments that several commands take, and what they stand for."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import StoreError
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


def frame_of(given: argparse.Namespace) -> "pd.DataFrame":
    """The tidy frame of the results or of the points; a sentence where there is nothing to read."""
    if given.points:
        from leakage.points import read_points

        return read_points(given.points)
    from leakage.store.results import results

    with waiting("reading results"):
        frame = results(existing(given.multirun))
    if frame.empty:
        raise StoreError(f"no finished cell below {given.multirun}; run one first: python run.py")
    return frame
