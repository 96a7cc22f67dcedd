"""A report's folder: written beside the old one and put into its place, with the shared assets and pictures in it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from leakage.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Path(__file__).parent / "assets"
OURS = '<meta name="generator" content="leakage report">'
MARK = ".leakage-report"
STALE_S = 24 * 3600.0  # a draft this old was left by a process that was killed


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


def mark(folder: Path) -> None:
    """Say that a folder is a report, which the next one may replace."""
    (folder / MARK).touch()


def _is_report(folder: Path) -> bool:
    """Whether a folder may be replaced: empty, marked, or with our first page in it."""
    if not folder.is_dir():
        return False
    if (folder / MARK).exists():
        return True
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


def copy_figures(figures: Path, into: Path) -> tuple[str, ...]:
    """Copy all pictures; their names, PNG and PDF."""
    pictures = sorted(figures.glob("*.p[nd][gf]"))
    into.mkdir()
    for path in pictures:
        shutil.copyfile(path, into / path.name)
    return tuple(path.name for path in pictures)
