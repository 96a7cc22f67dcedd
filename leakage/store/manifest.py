"""The manifest of a record: what a finished folder holds, what it was made from and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from leakage.store.files import file_digest

SCHEMA = 2  # raise it when an older result must not stand for a newer one
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Input:
    """A file of another record that a record is made from. folder: below the results."""

    folder: Path
    file: str


class InputEntry(BaseModel):
    """What an input was when it was read. folder: of its record, relative to that of the manifest."""

    model_config = ConfigDict(frozen=True)

    folder: str
    file: str
    sha256: str | None


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
    inputs: list[InputEntry] | None = None  # None in older ones, whose facts have one digest, "made_from"


def file_entry(path: Path) -> FileEntry:
    """Size and sha256 of a file as it is now."""
    return FileEntry(bytes=path.stat().st_size, sha256=file_digest(path))
