"""Write a report: every page into a folder of its own, then that folder into its place."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.progress import progress, waiting
from leakage.report.folder import copy_assets, copy_figures, replacing_folder
from leakage.report.script import write_script
from leakage.store.files import write_text
from leakage.studies.persona_leakage.report import pages, sections
from leakage.studies.persona_leakage.report.archive import BUDGET, write_answers
from leakage.studies.persona_leakage.report.cells import read_cells
from leakage.studies.persona_leakage.report.writeup import write_up

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Compose

log = logging.getLogger(__name__)
ASSETS = Path(__file__).parent / "assets"


def write_report(
    frame: pd.DataFrame, multirun: Path, folder: Path, *,
    figures: Path | None = None, samples: int | None = None, compose: Compose | None = None,
) -> Path:  # fmt: skip
    """Write the report of a tidy frame and return its first page; the same input gives the same bytes.

    multirun: where the cells' folders are; a cell without one gets a page without what is in it. folder: replaced as a
    whole at the end, so that a reader never meets half a report. figures: a folder of pictures to put in. samples: how
    many a prompt, where not as many as fit. compose: from overrides to settings, for the commands of the write-up.
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
        write_text(draft / "writeup.md", write_up(cells, tables, pictures, compose=compose))
        write_text(draft / "index.html", pages.index_page(cells, tables, pictures))
    return folder / "index.html"


def _copy_library(draft: Path) -> None:
    import plotly  # type: ignore[import-untyped]

    library = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    shutil.copyfile(library, draft / "assets" / "plotly.min.js")
