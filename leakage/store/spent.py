"""Seconds that a start has spent on a folder before it was stopped, or failed: for whoever goes on from there."""

from contextlib import suppress
from pathlib import Path

NOTE = ".spent"


def note(folder: Path, seconds: float) -> None:
    """Leave a note; a full disk must not hide why the start has ended."""
    with suppress(OSError):
        (folder / NOTE).write_text(f"{seconds:.1f}")


def noted(folder: Path) -> float:
    """What the last note says; 0 where there is none that can be read."""
    try:
        return float((folder / NOTE).read_text())
    except (OSError, ValueError):
        return 0.0


def forget(folder: Path) -> None:
    """The work is done, and its manifest tells the time."""
    (folder / NOTE).unlink(missing_ok=True)
