"""Rows of files that other people wrote: JSON lines, JSON, CSV, TSV or Parquet, each gzipped or not, or of the hub."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from leakage.data.hub import Source
from leakage.data.row import Row, Typed, refused, shown, typed
from leakage.errors import DataError, nearest

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
TURNS = {"messages", "conversations", "conversation"}  # arrays of these names are one row's, never a file's rows
NO_JSON = {  # Python's words for what is wrong in a JSON text, and what to look for there
    "Expecting property name enclosed in double quotes": "a name in double quotes should begin here",
    "Illegal trailing comma before end of object": "this comma is one too many",
    "Illegal trailing comma before end of array": "this comma is one too many",
    "Expecting ':' delimiter": "a colon is missing here",
    "Expecting ',' delimiter": "a comma is missing here, or a quote that is part of a text has no backslash before it",
    "Expecting value": "a value is missing here",
    "Unterminated string starting at": "the text that begins here has no end",
    "Invalid control character at": "a line break or tab stands inside a text; write it as \\n or \\t",
    "Invalid \\escape": "a backslash that is part of a text is written twice",
    "Extra data": "more stands behind the end of the object",
}


def read_rows(path: str, setting: str, split: str = "train", good: str = "") -> list[Row]:
    """Every row of a file, of a folder with its parts, or of a data set of the hub, whose split is named.

    good: a line as it should be, for the error that refuses one
    """
    located = Path(path).expanduser()
    if located.is_dir():
        rows = [row for file in _parts(located, split) for row in _read(file, good)]
    elif located.is_file():
        rows = list(_read(located, good))
    elif _kind(located):
        raise DataError(f"cannot read {path}: there is no such file; name one that is there")
    else:
        tables = Source(path, None, split, None, setting).tables()
        rows = [Row(f"{file}, row {i}", row) for file, table in tables for i, row in enumerate(table, 1)]
    if not rows:
        raise DataError(f"{path} has no rows; give a file with some" + (f", such as {good}" if good else ""))
    return rows


def read_typed(path: Path | str, kind: type[Typed], setting: str, good: str) -> list[Typed]:
    """Every row of a file as an object; the first that is none is refused. Arguments as of `read_rows` and `typed`."""
    return [typed(row, kind, good) for row in read_rows(str(path), setting, good=good)]


def column(rows: Sequence[Row], names: Iterable[str], option: str, chosen: str | None) -> str:
    """The column that holds something: the one that was chosen, or else the first that has one of its usual names."""
    there = list(dict.fromkeys(name for row in rows for name in row.fields))
    usual = list(names)
    for name in [chosen] if chosen else usual:
        if name in there:
            return name
    wanted = chosen or usual[0]
    raise DataError(
        f"{rows[0].where.rpartition(', ')[0]} has no column '{wanted}' (it has: {', '.join(there)}"
        f"{nearest(wanted, there)}); name the one that is meant: {option} COLUMN"
    )


def _kind(file: Path) -> str:
    """Its suffix, without .gz; "" where it is none of SUFFIXES."""
    name = file.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _parts(folder: Path, split: str) -> list[Path]:
    """The files of a folder that together are one: those of the split, where any has its name, and of one format."""
    home = folder / "data" if not any(map(_kind, folder.iterdir())) and (folder / "data").is_dir() else folder
    files = sorted(file for file in home.iterdir() if file.is_file() and _kind(file) and file.name[0] != ".")
    of_split = [file for file in files if re.match(rf"{re.escape(split)}[-.]", file.name)]
    chosen = of_split or [file for file in files if not re.match(r"(train|validation|test)[-.]", file.name)]
    for suffix in SUFFIXES:
        if parts := [file for file in chosen if _kind(file) == suffix]:
            return parts
    raise DataError(f"{folder} holds no {split}-*.parquet, .jsonl, .json, .csv or .tsv; name a folder with some")


def _read(file: Path, good: str) -> Iterator[Row]:
    content, kind = _content(file), _kind(file)
    if kind == ".parquet":
        yield from _of_table(file, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8; save it in UTF-8") from error
    if kind in {".csv", ".tsv"}:
        yield from _of_columns(file, text, good)
    elif not kind and text.lstrip()[:1] not in {"{", "["}:
        raise DataError(f"{file} is none of {', '.join(SUFFIXES)}; rename or convert it to one of them")
    elif kind == ".json":
        yield from _of_lines(file, text, good) if _is_lines(text) else _of_array(file, _whole(file, text, good), good)
    else:
        yield from _of_array(file, _whole(file, text, good), good) if _is_whole(text) else _of_lines(file, text, good)


def _content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
        return gzip.decompress(content) if file.name.lower().endswith(".gz") else content
    except (OSError, EOFError) as error:  # gzip's own errors are OSErrors, and of a file cut off EOFError
        raise DataError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}; copy it again") from error


def _of_table(file: Path, content: bytes) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table

    try:
        rows = read_table(io.BytesIO(content)).to_pylist()
    except (ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{file} is no whole Parquet file ({error}); copy it again") from error
    for number, fields in enumerate(rows, 1):
        yield Row(f"{file}, row {number}", fields)


def _of_columns(file: Path, text: str, good: str) -> Iterator[Row]:
    """Columns apart by whatever stands most often between the names."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a transcript may be longer than the usual limit
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        for fields in reader:
            where = f"{file}, line {reader.line_num}"
            if None in fields:
                raise refused(where, "more fields than columns; put texts in quotes", good)
            yield Row(where, dict(fields))
    except csv.Error as error:
        fault = "a quote that is open does not end where it should; close every quote, and double those within"
        raise refused(f"{file}, line {reader.line_num}", fault, good) from error


def _is_lines(text: str) -> bool:
    """Whether a text is several JSON objects, a line each: as a whole it is no JSON, but its first line is."""
    first, _, rest = text.strip().partition("\n")
    return bool(rest) and _is_json(first) and first.startswith("{")


def _is_whole(text: str) -> bool:
    """Whether a text that should have a line a row is one JSON value instead: its first line is the beginning of it."""
    first, _, rest = text.strip().partition("\n")
    begins = first.startswith("[") or first.strip() == "{"
    return begins and not (rest and _is_json(first))


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        return False
    return True


def _whole(file: Path, text: str, good: str) -> Any:
    try:
        return json.loads(text) if text.strip() else []
    except RecursionError as error:
        raise DataError(f"{file} is nested too deeply to be read; write it flat, an object a row") from error
    except json.JSONDecodeError as error:
        raise _no_json(file, error, error.lineno, good) from error


def _no_json(file: Path, error: json.JSONDecodeError, line: int, good: str) -> DataError:
    fault = NO_JSON.get(error.msg, "something else should stand here")
    return refused(f"{file}, line {line}, column {error.colno}", f"no JSON: {fault}", good)


def _of_array(file: Path, whole: Any, good: str) -> Iterator[Row]:
    """The objects of an array, of the one array that an object holds, or of the columns that it is."""
    rows = _of_object(whole) if isinstance(whole, dict) else whole
    for number, fields in enumerate(rows if isinstance(rows, list) else [rows], 1):
        yield Row(f"{file}, row {number}", _as_object(fields, f"{file}, row {number}", good))


def _of_object(whole: dict[str, Any]) -> list[Any]:
    """Its columns side by side, as pandas writes them; the one array of objects in it; or itself."""
    if any(isinstance(turns := whole.get(name), list) and turns and isinstance(turns[0], dict) for name in TURNS):
        return [whole]
    columns = list(whole.values())
    if columns and all(isinstance(one, dict) and one.keys() == columns[0].keys() for one in columns):
        return [{name: column[key] for name, column in whole.items()} for key in columns[0]]
    if columns and all(isinstance(one, list) and len(one) == len(columns[0]) for one in columns) and len(columns) > 1:
        return [dict(zip(whole, fields, strict=True)) for fields in zip(*columns, strict=True)]
    arrays = [one for one in columns if isinstance(one, list) and one and isinstance(one[0], dict)]
    return arrays[0] if len(arrays) == 1 else [whole]


def _of_lines(file: Path, text: str, good: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would also cut at U+2028 inside a text
        if line.strip():
            where = f"{file}, line {number}"
            try:
                fields = json.loads(line)
            except json.JSONDecodeError as error:
                raise _no_json(file, error, number, good) from error
            except RecursionError as error:
                raise refused(where, "nested too deeply to be read", good) from error
            yield Row(where, _as_object(fields, where, good))


def _as_object(fields: Any, where: str, good: str) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise refused(where, f"it is {shown(fields)} and should be an object with named fields", good)
    return fields
