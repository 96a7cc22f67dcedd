"""A journal: rows that survive a kill the moment they are written."""

import json
import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from leakage.errors import StoreError

Row = dict[str, Any]
T = TypeVar("T")
END = 256  # bytes that tell whether a file goes on as it was


class Journal:
    """An append-only log of JSON rows in a folder.

    Every process writes a file of its own: on a shared disk two writers of one file would tear each other's lines.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: Path | None = None
        self._lock = Lock()

    def rows(self) -> list[Row]:
        """The rows of all processes; a line that a kill has torn, or that is no JSON object, is passed over.

        A process reads each line once, whoever asks: later only what has been added since.
        """
        return [row for one in self._read() for row in (*one.rows, *one.torn)]

    def made(self, make: Callable[[Sequence[Row]], T]) -> T:
        """What a function makes of the rows: made anew when they are others, and shared, so nothing to be changed."""
        key, states = (self.folder.absolute(), make), tuple((one.file, one.state) for one in self._read())
        if key not in _made or _made[key][0] != states:
            _made[key] = states, make(self.rows())
        value: T = _made[key][1]
        return value

    def _read(self) -> list["_Lines"]:
        try:
            return [_lines(path) for path in sorted(self.folder.glob("*.jsonl"))]
        except OSError as error:
            raise StoreError(f"cannot read {error.filename}: {error.strerror}; make it readable") from error

    def append(self, row: Row, *, sync: bool = True) -> None:
        """Write one row; threads may share a journal. sync: through to the disk, so that no power cut loses it."""
        line = (json.dumps(row, allow_nan=False) + "\n").encode()
        with self._lock:
            file = self._file or self.folder / _own_name()
            self._file = None  # after a line cut short by a full disk the next row starts another file
            try:
                _write(file, line, sync=sync)
            except OSError as error:
                mend = "free some space or name a folder that can be written (paths.multirun=…)"
                raise StoreError(f"cannot write {file}: {error.strerror}; {mend}") from error
            self._file = file


@dataclass(frozen=True)
class _Lines:
    """What was read of a file: rows of its whole lines, these lines' bytes and last few, and a row that is torn off.

    state: inode, size and time of the last change
    """

    file: Path
    state: tuple[int, int, int]
    rows: list[Row] = field(default_factory=list)
    whole: int = 0
    end: bytes = b""
    torn: list[Row] = field(default_factory=list)


_known: dict[Path, _Lines] = {}
_made: dict[tuple[Path, Callable[..., Any]], tuple[object, Any]] = {}


def _lines(path: Path) -> _Lines:
    """The lines of a file: as they are known, where its state is; where it only grew, read on; else read anew."""
    file, stat = path.absolute(), path.stat()
    state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    known = _known.get(file)
    if known is None or known.state != state:
        with path.open("rb") as stream:
            if known is None or not _goes_on(stream, known, state):
                known = _Lines(file, state)
            _known[file] = known = _read_on(stream, known, state)
    return known


def _goes_on(stream: BinaryIO, known: _Lines, state: tuple[int, int, int]) -> bool:
    """Whether a file is the one that is known, with more in it."""
    if state[0] != known.state[0] or state[1] <= known.state[1]:
        return False
    stream.seek(known.whole - len(known.end))
    return stream.read(len(known.end)) == known.end


def _read_on(stream: BinaryIO, known: _Lines, state: tuple[int, int, int]) -> _Lines:
    """Add what stands behind the lines that are known."""
    stream.seek(known.whole)
    whole, newline, torn = stream.read().rpartition(b"\n")
    rows, rest = objects(whole), objects(torn)
    end = (known.end + whole + newline)[-END:]
    return _Lines(known.file, state, [*known.rows, *rows], known.whole + len(whole + newline), end, rest)


def _own_name() -> str:
    host = re.sub(r"[^\w.-]", "_", socket.gethostname())
    return f"{host}-{os.getpid()}-{uuid4().hex[:8]}.jsonl"


def _write(file: Path, line: bytes, *, sync: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        stream.write(line)
        stream.flush()
        if sync:
            os.fsync(stream.fileno())


def objects(text: bytes) -> list[Row]:
    """The JSON objects in lines; what is none is passed over."""
    return [row for line in text.split(b"\n") if (row := _object(line)) is not None]


def _object(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
