"""Write a report: every page into a folder of its own, then that folder into its place."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from leakage import report
from leakage.errors import StoreError
from leakage.progress import progress, waiting
from leakage.store.files import write_text
from leakage.studies.persona_leakage.report import pages, sections
from leakage.studies.persona_leakage.report.archive import BUDGET, write_answers, write_script
from leakage.studies.persona_leakage.report.cells import read_cells
from leakage.studies.persona_leakage.report.writeup import write_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

log = logging.getLogger(__name__)
SHARED = Path(report.__file__).parent / "assets"
ASSETS = Path(__file__).parent / "assets"
OURS = '<meta name="generator" content="leakage report">'
STALE_S = 24 * 3600.0  # a draft this old was left by a process that was killed


def write_report(
    frame: pd.DataFrame, multirun: Path, folder: Path, *, figures: Path | None = None, samples: int | None = None
) -> Path:
    """Write the report of a tidy frame and return its first page; the same input gives the same bytes.

    multirun: where the cells' folders are; a cell without one gets a page without what is in it. folder: replaced as a
    whole at the end, so that a reader never meets half a report. figures: a folder of pictures to put in. samples: how
    many a prompt, where not as many as fit.
    """
    folder = folder.resolve()  # of a link, what it points to is replaced
    with replacing_folder(folder) as draft:
        with waiting("report: statistics"):
            tables = sections.tables(frame)
            cells = read_cells(frame, multirun, tables["designs"])
        copy_assets(draft, ASSETS)
        _copy_library(draft)
        pictures = copy_figures(figures, draft / "figures") if figures else ()
        taken = sum((draft / "figures" / name).stat().st_size for name in pictures)
        answers = write_answers(cells, multirun, draft, samples=samples, budget=max(BUDGET - taken, BUDGET // 2))
        with progress(len(cells), "report: pages", "page") as advance:
            for place, cell in enumerate(cells):
                write_script(draft / f"data/{cell.slug}.js", "cells", cell.slug, pages.cell_data(cell, answers))
                write_text(draft / f"cells/{cell.slug}.html", pages.cell_page(place, cells, tables))
                advance(1)
        write_text(draft / "writeup.md", write_up(cells, tables, pictures))
        write_text(draft / "index.html", pages.index_page(cells, tables, pictures))
    return folder / "index.html"


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A draft beside a folder that takes its place when the block ends well; the old one stays until then."""
    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".draft", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp makes it private; results are for the whole group
        if folder.exists():
            folder.rename(draft.with_suffix(".old"))
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(draft.with_suffix(".old"), ignore_errors=True)


def check_free(folder: Path) -> None:
    """Refuse to replace what is no report."""
    if folder.exists() and not _is_report(folder):
        raise StoreError(f"{folder} is there and is no report; name another folder with --out, or remove it")


def _is_report(folder: Path) -> bool:
    """Whether a folder may be replaced: empty, or with our first page in it."""
    if not folder.is_dir():
        return False
    index = folder / "index.html"
    return OURS in index.read_text(errors="replace") if index.is_file() else not any(folder.iterdir())


def _sweep(folder: Path) -> None:
    """Remove drafts of processes that were killed long ago."""
    for left in [*folder.parent.glob(f".{folder.name}.*.draft"), *folder.parent.glob(f".{folder.name}.*.old")]:
        if time() - left.stat().st_mtime > STALE_S:
            shutil.rmtree(left, ignore_errors=True)


def copy_assets(draft: Path, *more: Path) -> None:
    """The style sheet and the scripts, and those of more folders beside them."""
    for folder in (SHARED, *more):
        shutil.copytree(folder, draft / "assets", dirs_exist_ok=True)


def _copy_library(draft: Path) -> None:
    import plotly  # type: ignore[import-untyped]

    library = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    shutil.copyfile(library, draft / "assets" / "plotly.min.js")


def copy_figures(figures: Path, into: Path) -> tuple[str, ...]:
    """Copy all pictures; their names, PNG and PDF."""
    found = sorted(figures.glob("*.p[nd][gf]"))
    into.mkdir()
    for path in found:
        shutil.copyfile(path, into / path.name)
    return tuple(path.name for path in found)
