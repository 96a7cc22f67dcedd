"""Write the report of the second study: every page into a folder of its own, then that folder into its place."""

from __future__ import annotations

from pathlib import Path

from leakage.errors import StoreError
from leakage.progress import progress, waiting
from leakage.report.folder import copy_assets, copy_figures, replacing_folder
from leakage.store.files import write_text
from leakage.studies.alignment_faking.report import pages
from leakage.studies.alignment_faking.report.transcripts import write_transcripts
from leakage.studies.alignment_faking.report.trials import TABLES, read_pages
from leakage.studies.alignment_faking.results import judged_trials, trials

ASSETS = Path(__file__).parent / "assets"
LIMIT = 29_000_000  # bytes of a report


def write_report(multirun: Path, folder: Path, *, figures: Path | None = None, limit: int = LIMIT) -> Path:
    """Write the report of all trials below `multirun` and return its first page; equal results give equal bytes.

    folder: replaced as a whole at the end, so that a reader never meets half a report. figures: a folder of pictures to
    put in. limit: of bytes; what transcripts are too many for it are left out, and their pages say so.
    """
    folder = folder.resolve()  # of a link, what it points to is replaced
    with replacing_folder(folder) as draft:
        with waiting("report: statistics"):
            frame = trials(multirun)
            if frame.empty:
                raise StoreError(f"no finished trial below {multirun}; run one: python run.py --config-name faking")
            made = {name: make(frame) for name, make in TABLES.items()}
            trial_pages = read_pages(frame, judged_trials(multirun), made)
        copy_assets(draft, ASSETS)
        pictures = copy_figures(figures, draft / "figures") if figures else ()
        with progress(len(trial_pages), "report: pages", "page") as advance:
            for place, page in enumerate(trial_pages):
                write_text(draft / f"trials/{page.slug}.html", pages.trial_page(place, trial_pages, multirun))
                advance(1)
        write_text(draft / "index.html", pages.index_page(trial_pages, made, pictures))
        taken = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
        write_transcripts(trial_pages, draft, multirun, budget=max(limit - taken, limit // 4))
    return folder / "index.html"
