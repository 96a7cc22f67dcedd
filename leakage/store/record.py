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

from leakage.store.aside import is_set_aside, next_aside
from leakage.store.claim import LOG_VARIABLE, Claim, abandoned, claimed, current, describe
from leakage.store.draft import Draft
from leakage.store.files import share, unreadable, write_json
from leakage.store.manifest import MANIFEST, SCHEMA, InputEntry, Manifest, file_entry
from leakage.store.processes import job_id
from leakage.store.provenance import provenance
from leakage.store.spent import NOTE
from leakage.store.verified import Verified

log = logging.getLogger(__name__)
FAILED = "failed.json"


class Status(StrEnum):
    """How a result folder stands."""

    DONE = "done"
    RUNNING = "running"
    DAMAGED = "damaged"
    STALE = "stale"
    FAILED = "failed"
    PARTIAL = "partial"
    MISSING = "missing"


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
        """The manifest; None where there is none, or it is damaged."""
        try:
            return Manifest.model_validate_json((self.folder / MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None
        except OSError as error:
            raise unreadable(self.folder / MANIFEST, error) from error

    def damage(self) -> str | None:
        """What the manifest says that the folder does not bear out; None when all is well."""
        if self.manifest is None:
            return f"{MANIFEST} cannot be read"
        verified = Verified(self.folder)
        for name, entry in self.manifest.files.items():
            try:
                size, digest = verified.size_and_digest(name, expected=entry.bytes)
            except (FileNotFoundError, NotADirectoryError):
                return f"{name} is gone"
            except OSError as error:
                raise unreadable(self.folder / name, error) from error
            if (size, digest) != (entry.bytes, entry.sha256):
                return f"{name} has changed since it was written"
        verified.save()
        return None

    def staleness(self) -> str | None:
        """Which of the files it was made from is another now; None where all are as they were, or are not there."""
        manifest = self.manifest
        if manifest is None:
            return None
        if manifest.inputs is None:
            return self._old_staleness(manifest.facts.get("made_from"))
        for entry in manifest.inputs:
            now = Record(Path(os.path.normpath(self.folder / entry.folder))).digest_of(entry.file)
            if now not in {None, entry.sha256}:
                return f"{entry.file} in {entry.folder}, of which it was made, is another now"
        return None

    def _old_staleness(self, made_from: str | None) -> str | None:
        """The same for a manifest that does not name its inputs: what lies above it has the file, or had it."""
        above = Record(self.folder.parent).manifest
        if made_from is None or above is None or made_from in {entry.sha256 for entry in above.files.values()}:
            return None
        return f"what it was made of in {self.folder.parent.name} is another now"

    def digest_of(self, name: str) -> str | None:
        """sha256 of one of its files, as the manifest has it."""
        entry = self.manifest.files.get(name) if self.manifest else None
        return entry.sha256 if entry else None

    def trouble(self, status: Status) -> str | None:
        """Why it stands so: what is damaged or stale, or what went wrong."""
        if status is Status.DAMAGED:
            return self.damage()
        if status is Status.STALE:
            return self.staleness()
        failure = self.failure()
        return failure.error if failure else None

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
            return Status.STALE if self.staleness() else Status.DONE
        if (claim := self.claim()) and not claim.is_own():
            return Status.RUNNING
        if (self.folder / MANIFEST).exists():
            return Status.DAMAGED
        if (self.folder / FAILED).exists():
            return Status.FAILED
        # Hydra makes a job's folder before the job starts, so only files of ours count
        begun = self._own_entries() or abandoned(self.folder) or (self.folder / NOTE).exists()
        return Status.PARTIAL if begun else Status.MISSING

    def _own_entries(self) -> list[Path]:
        """Files and folders of this record: not Hydra's notes, nor another record below it, nor what was set aside."""
        return [
            path
            for path in self.folder.glob("*")
            if not path.name.startswith(".")
            and not is_set_aside(path)
            and path.suffix != ".log"
            and not (path / MANIFEST).exists()
            and not (path / ".hydra").exists()
            and not any(path.glob("*/.hydra"))
            and not any(path.glob("*/*.log"))
        ]

    def set_aside(self) -> Path:
        """Move the record's files into a numbered folder beside them; nothing is deleted."""
        aside = next_aside(self.folder)
        aside.mkdir()
        for entry in self._own_entries():
            entry.replace(aside / entry.name)
        self.__dict__.pop("manifest", None)
        return aside

    def fill(
        self, kind: str, id: str, make: Callable[["Draft"], None], *, identity: Mapping[str, Any], label: str,
        wanted: Callable[[], bool], inputs: Callable[[], list[InputEntry]] | None = None,
    ) -> None:  # fmt: skip
        """Make the record if it is wanted, alone: what another process is making is waited for, not made twice.

        wanted: asked by whoever holds the folder, so that it may set a damaged record aside. inputs: what it is made
        from, as it lies there when the making begins
        """
        with claimed(self.folder, label=label, stage=kind) as held:
            if not wanted():
                if held.waited:
                    log.info("%s: done meanwhile by the process that was waited for", label)
                return
            (self.folder / FAILED).unlink(missing_ok=True)
            entries = inputs() if inputs else None
            with held.working(), self.writing(kind, id, identity=identity, inputs=entries, clock=held.seconds) as draft:
                make(draft)
                held.check()

    @contextmanager
    def writing(
        self, kind: str, id: str, *, identity: Mapping[str, Any], inputs: list[InputEntry] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> Iterator["Draft"]:  # fmt: skip
        """Fill a draft, then write the manifest; an error leaves failed.json, a kill leaves a partial folder.

        clock: seconds spent on it so far, by all starts that had a part in it
        """
        started = perf_counter()
        clock = clock or (lambda: perf_counter() - started)
        draft = Draft(self.folder, inputs or ())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield draft
            names = sorted(draft.files())
            for name in names:
                share(self.folder / name)
            manifest = Manifest(
                record_schema=SCHEMA, kind=kind, id=id, identity=dict(identity), facts=draft.facts, inputs=inputs,
                files={name: file_entry(self.folder / name) for name in names},
                provenance=provenance(wall_seconds=clock()),
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
