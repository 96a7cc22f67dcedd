"""The records below a folder of results, and how each stands."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leakage.errors import StoreError
from leakage.store.record import FAILED, MANIFEST, Manifest, Record, Status

INSIDE = (".", "damaged-", "adapter", "checkpoints", "parts-")  # beginnings of names of folders within a record


@dataclass(frozen=True)
class Found:
    """A result folder that has begun, and how it stands."""

    folder: Path
    status: Status
    manifest: Manifest | None
    reason: str | None


def find(multirun: Path) -> list[Found]:
    """Every folder below `multirun` that holds, or was to hold, a record; in the folders' order."""
    found = []
    for folder in sorted(record_folders(multirun)):
        record = Record(folder)
        status = record.status()
        if status is Status.MISSING:  # Hydra has made the folder, and nothing has come of it
            continue
        failure = record.failure()
        reason = record.damage() if status is Status.DAMAGED else failure.error if failure else None
        found.append(Found(folder, status, record.manifest, reason))
    return found


def record_folders(multirun: Path) -> Iterator[Path]:
    """Folders with a sign of a record in them; what is inside one (an adapter, checkpoints, parts) is no other."""
    for folder, inner, files in os.walk(multirun, onerror=_refuse):
        signs = (name in {MANIFEST, FAILED} or name.startswith(".claim-") for name in files)
        inside: tuple[str, ...] = (".",)
        if ".hydra" in inner or any(signs):
            yield Path(folder)
            inside = INSIDE
        inner[:] = [name for name in inner if not name.startswith(inside)]


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):  # removed meanwhile, or never there
        return
    raise StoreError(f"cannot read {error.filename}: {error.strerror}; make it readable") from error
