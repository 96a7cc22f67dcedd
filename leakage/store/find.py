"""The records below a folder of results, and how each stands."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leakage.errors import StoreError
from leakage.store.aside import is_set_aside
from leakage.store.manifest import MANIFEST, Manifest
from leakage.store.record import FAILED, Record, Status
from leakage.store.spent import NOTE

INSIDE = ("adapter", "checkpoints")  # folders of a record that are no records of their own


@dataclass(frozen=True)
class Found:
    """A result folder that has begun, and how it stands."""

    folder: Path
    status: Status
    manifest: Manifest | None
    reason: str | None


def find(multirun: Path) -> list[Found]:
    """Every folder below `multirun` that holds, or was to hold, a record; in the folders' order."""
    records = []
    for folder in sorted(record_folders(multirun)):
        record = Record(folder)
        status = record.status()
        if status is Status.MISSING:  # Hydra has made the folder, and nothing has come of it
            continue
        records.append(
            Found(folder, status, record.manifest, None if status is Status.DONE else record.trouble(status))
        )
    return records


def record_folders(multirun: Path) -> Iterator[Path]:
    """Folders with a sign of a record in them; what is inside one (an adapter, checkpoints) is no other."""
    for folder, inner, files in os.walk(multirun, onerror=_refuse):
        signs = (name in {MANIFEST, FAILED, NOTE} or name.startswith(".claim-") for name in files)
        inside: tuple[str, ...] = ()
        if ".hydra" in inner or any(signs):
            yield Path(folder)
            inside = INSIDE
        inner[:] = [name for name in inner if not (name.startswith(".") or name in inside or is_set_aside(Path(name)))]


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):  # removed meanwhile, or never there
        return
    raise StoreError(f"cannot read {error.filename}: {error.strerror}; make it readable") from error
