"""A result folder and its record: done means that the manifest, written last, vouches for every file."""

import json
import logging
import os
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from leakage.errors import StoreError
from leakage.store.claim import LOG_VARIABLE, Claim, abandoned, claimed, current, describe
from leakage.store.files import file_digest, write_json
from leakage.store.processes import job_id
from leakage.store.provenance import provenance
from leakage.store.verified import Verified

log = logging.getLogger(__name__)
SCHEMA = 2  # raise it when an older result must not stand for a newer one
MANIFEST, FAILED = "manifest.json", "failed.json"


class Status(StrEnum):
    """How a result folder stands."""

    DONE = "done"
    RUNNING = "running"
    DAMAGED = "damaged"
    FAILED = "failed"
    PARTIAL = "partial"
    MISSING = "missing"


class FileEntry(BaseModel):
    """Size and sha256 of a file when its record was finished."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a finished folder holds, what it was made from and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record_schema: int
    kind: str
    id: str
    identity: dict[str, Any]
    facts: dict[str, Any]
    files: dict[str, FileEntry]
    provenance: dict[str, Any]


class Failure(BaseModel):
    """Why a record is not there: what is told of it, in which stage, and where to read more."""

    model_config = ConfigDict(frozen=True)

    error: str
    stage: str
    log: str | None = None


class Record:
    """The record of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def manifest(self) -> Manifest | None:
        """The manifest, or None where there is none that can be read."""
        try:
            return Manifest.model_validate_json((self.folder / MANIFEST).read_bytes())
        except (OSError, ValidationError):
            return None

    def damage(self) -> str | None:
        """What the manifest says that the folder does not bear out; None when all is well."""
        if self.manifest is None:
            return f"{MANIFEST} cannot be read"
        verified = Verified(self.folder)
        for name, entry in self.manifest.files.items():
            try:
                size, digest = verified.size_and_digest(name, expected=entry.bytes)
            except OSError:
                return f"{name} is gone"
            if (size, digest) != (entry.bytes, entry.sha256):
                return f"{name} has changed since it was written"
        verified.save()
        return None

    def digest_of(self, name: str) -> str | None:
        """sha256 of one of its files, as the manifest has it."""
        entry = self.manifest.files.get(name) if self.manifest else None
        return entry.sha256 if entry else None

    def failure(self) -> "Failure | None":
        """What went wrong: the error in failed.json, or how far a process came that ended without a word."""
        try:
            return Failure.model_validate(json.loads((self.folder / FAILED).read_text()))
        except (OSError, ValueError):
            left = abandoned(self.folder)
            return Failure(error=describe(left), stage=left.stage, log=left.log) if left else None

    def has_failed(self) -> bool:
        """Whether an error is noted."""
        return (self.folder / FAILED).exists()

    def claim(self) -> Claim | None:
        """Who is filling the folder now."""
        return current(self.folder)

    def status(self) -> Status:
        """Look at the folder as it is now."""
        self.__dict__.pop("manifest", None)
        if (self.folder / MANIFEST).exists() and not self.damage():
            return Status.DONE
        if (claim := self.claim()) and not claim.is_own():
            return Status.RUNNING
        if (self.folder / MANIFEST).exists():
            return Status.DAMAGED
        if (self.folder / FAILED).exists():
            return Status.FAILED
        # Hydra makes a job's folder before the job starts, so only files of ours count
        return Status.PARTIAL if self._own_entries() or abandoned(self.folder) else Status.MISSING

    def _own_entries(self) -> list[Path]:
        """Files and folders of this record: not Hydra's notes, nor another record below it, nor what was set aside."""
        return [
            path
            for path in self.folder.glob("*")
            if not path.name.startswith((".", "damaged-"))
            and path.suffix != ".log"
            and not (path / MANIFEST).exists()
            and not (path / ".hydra").exists()
            and not any(path.glob("*/.hydra"))
            and not any(path.glob("*/*.log"))
        ]

    def set_aside(self) -> Path:
        """Move the record's files into a numbered folder beside them; nothing is deleted."""
        number = 1 + sum(1 for _ in self.folder.glob("damaged-*"))
        aside = self.folder / f"damaged-{number}"
        aside.mkdir()
        for entry in self._own_entries():
            entry.replace(aside / entry.name)
        self.__dict__.pop("manifest", None)
        return aside

    def fill(
        self, kind: str, id: str, make: Callable[["Draft"], None], *,
        identity: Mapping[str, Any], label: str, wanted: Callable[[], bool],
    ) -> None:  # fmt: skip
        """Make the record if it is wanted, alone: what another process is making is waited for, not made twice.

        wanted: asked by whoever holds the folder, so that it may set a damaged record aside
        """
        with claimed(self.folder, label=label, stage=kind) as held:
            if not wanted():
                if held.waited:
                    log.info("%s: done meanwhile by the process that was waited for", label)
                return
            (self.folder / FAILED).unlink(missing_ok=True)
            with self.writing(kind, id, identity=identity) as draft:
                make(draft)
                held.check()

    @contextmanager
    def writing(self, kind: str, id: str, *, identity: Mapping[str, Any]) -> Iterator["Draft"]:
        """Fill a draft, then write the manifest; an error leaves failed.json, a kill leaves a partial folder."""
        started = perf_counter()
        draft = Draft(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield draft
            manifest = Manifest(
                record_schema=SCHEMA, kind=kind, id=id, identity=dict(identity), facts=draft.facts,
                files={name: _entry(self.folder / name) for name in sorted(draft.files())},
                provenance=provenance(wall_seconds=perf_counter() - started),
            )  # fmt: skip
            write_json(self.folder / MANIFEST, manifest.model_dump())
            (self.folder / FAILED).unlink(missing_ok=True)
        except Exception as error:
            self.fail(error, stage=kind)
            raise

    def fail(self, error: BaseException, *, stage: str, log: str | None = None) -> None:
        """Leave a note of what went wrong; a full disk must not hide the error itself."""
        note = {
            "error": f"{type(error).__name__}: {error}",
            "stage": stage,
            "log": log or os.environ.get(LOG_VARIABLE),
            "traceback": traceback.format_exception(error),
            "host": socket.gethostname(),
            "job": job_id(),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            write_json(self.folder / FAILED, note)
        except OSError:
            error.add_note(f"(and {self.folder / FAILED} could not be written)")


class Draft:
    """What a record will hold: files written below its folder and facts for its manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = {}
        self._paths: list[Path] = []

    def path(self, name: str) -> Path:
        """Where to write a file or a folder that belongs to the record."""
        path = self.folder / name
        self._paths.append(path)
        return path

    def files(self) -> list[str]:
        """Names of all files written, relative to the folder."""
        found: list[Path] = []
        for path in self._paths:
            found += [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]
        if not found:
            raise StoreError(f"{self.folder}: nothing was written")
        return [str(path.relative_to(self.folder)) for path in found]


def _entry(path: Path) -> FileEntry:
    return FileEntry(bytes=path.stat().st_size, sha256=file_digest(path))
