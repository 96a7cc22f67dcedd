"""Files: read with suspicion, written whole or not at all."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leakage.errors import StoreError

HASH_WHOLE = 64 * 2**20  # bytes; of a larger file as much is read, spread over it evenly
BLOCK = 2**16


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value gives the same text everywhere."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of a value, as hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def as_folder(name: str) -> str:
    """A name that a folder can have: org/name becomes org_name."""
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".")


def storable(text: str) -> str:
    """Text that a file can hold: JSON may spell half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def sampled_digest(path: Path) -> str:
    """sha256 of a file, or of its size and blocks all over it: a plan must not read gigabytes a cell."""
    size = path.stat().st_size
    if size <= HASH_WHOLE:
        return file_digest(path)
    sampled = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for start in range(0, size, size // (HASH_WHOLE // BLOCK)):
            stream.seek(start)
            sampled.update(stream.read(BLOCK))
    return sampled.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        share(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def share(path: Path) -> None:
    """Let everyone who may read a file's folder read the file: temporary and weight files are made private."""
    path.chmod(path.parent.stat().st_mode & 0o666)


def unreadable(path: Path, error: OSError) -> StoreError:
    """What to say of a file that is there and cannot be read: it may be whole, so nothing is made in its place."""
    return StoreError(f"cannot read {path}: {error.strerror or error}; ask its owner to make it readable for you")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))
