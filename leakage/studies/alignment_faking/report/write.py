"""Write the report of the second study: every page into a folder of its own, then that folder into its place."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.progress import progress, waiting
from leakage.report.folder import copy_assets, copy_figures, replacing_folder
from leakage.store.files import write_text
from leakage.studies.alignment_faking.report import pages
from leakage.studies.alignment_faking.report.transcripts import write_transcripts
from leakage.studies.alignment_faking.report.trials import TABLES, read_pages
from leakage.studies.alignment_faking.report.writeup import write_up
from leakage.studies.alignment_faking.results import judged_trials
from leakage.studies.alignment_faking.validation import validations

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Compose

log = logging.getLogger(__name__)
ASSETS = Path(__file__).parent / "assets"
LIMIT = 29_000_000  # bytes of a report


def write_report(
    frame: pd.DataFrame, multirun: Path, folder: Path, *,
    figures: Path | None = None, samples: int | None = None, limit: int = LIMIT, compose: Compose | None = None,
) -> Path:  # fmt: skip
    """Write the report of a frame of trials below `multirun` and return its first page; equal results, equal bytes.

    folder: replaced as a whole at the end, so that a reader never meets half a report. figures: a folder of pictures to
    put in. samples: a query is asked once a tier, so there are none to leave out. limit: of bytes; what transcripts are
    too many for it are left out, and their pages say so. compose: from overrides to settings, for the write-up's
    commands.
    """
    if samples is not None:
        log.warning("--samples=%d: a query is asked once a tier, so all that fit are shown", samples)
    folder = folder.resolve()  # of a link, what it points to is replaced
    with replacing_folder(folder) as draft:
        with waiting("report: statistics"):
            made = {name: make(frame) for name, make in TABLES.items()}
            trial_pages = read_pages(frame, judged_trials(multirun), made)
        copy_assets(draft, ASSETS)
        pictures = copy_figures(figures, draft / "figures") if figures else ()
        with progress(len(trial_pages), "report: pages", "page") as advance:
            for place, page in enumerate(trial_pages):
                write_text(draft / f"trials/{page.slug}.html", pages.trial_page(place, trial_pages, multirun))
                advance(1)
        write_text(draft / "writeup.md", write_up(trial_pages, made, pictures, multirun, compose=compose))
        write_text(draft / "index.html", pages.index_page(trial_pages, made, pictures, _validated(multirun)))
        taken = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
        write_transcripts(trial_pages, draft, multirun, budget=max(limit - taken, limit // 4))
    return folder / "index.html"


def _validated(multirun: Path) -> list[dict[str, Any]]:
    """A row a validation that has an AUROC."""
    return [one.as_row() for one in validations(multirun) if not one.table.empty]
