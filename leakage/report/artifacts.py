"""Where what a write-up rests on lies: paths below the results, and only of what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.report.again import CONFIG
from leakage.report.compute import REPLIES
from leakage.report.markdown import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLANS = ".plans"
PLANNED = re.compile(r"^planned: ([0-9a-f]+)/", re.MULTILINE)


def paths(files: Iterable[Path | None], multirun: Path) -> str:
    """Those of the files that are there, each once, below the results."""
    there = dict.fromkeys(file for file in files if file and file.exists())
    return listed(f"`{file.relative_to(multirun).as_posix()}`" for file in there)


def item(name: str, files: Iterable[Path | None], multirun: Path) -> list[str]:
    """An item of a list of artifacts; none where there are no files."""
    named = paths(files, multirun)
    return [f"- {name}: {named}"] if named else []


def plans(folders: Iterable[Path], multirun: Path) -> list[str]:
    """The plans that records of these folders were made by."""
    return item("Plans", [_plan(folder / CONFIG, multirun) for folder in folders], multirun)


def _plan(config: Path, multirun: Path) -> Path | None:
    planned = PLANNED.search(config.read_text()) if config.is_file() else None
    return multirun / PLANS / f"{planned[1]}.json" if planned else None


def replies(multirun: Path) -> list[str]:
    """The journals of every model that was asked."""
    folders = sorted(path for path in (multirun / REPLIES).glob("*") if path.is_dir())
    return item("Replies of models behind an API", folders, multirun)


def pictures(figures: Sequence[str], prefix: str) -> list[str]:
    """The pictures beside the write-up whose names begin so."""
    own = [f"`figures/{name}`" for name in figures if name.startswith(prefix) and name.endswith(".png")]
    return [f"- Figures, each as PDF too: {listed(own)}"] if own else []
