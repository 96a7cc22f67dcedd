"""Rows of files that other people wrote: JSON lines, JSON, CSV, TSV or Parquet, each gzipped or not, or of the hub."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakage.data.pools.hub import Source
from leakage.errors import DataError, nearest

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Row:
    """One row of an outside file. where: the file and the line or row, for errors; fields: as they stand there"""

    where: str
    fields: dict[str, Any]


def read_rows(path: str, setting: str, split: str = "train") -> list[Row]:
    """Every row of a file, of a folder with a data set's copy, or of a data set of the hub, whose split is named."""
    file = Path(path).expanduser()
    kind = _kind(file)
    if kind and file.is_file():
        rows = list(_read(file, kind))
    elif file.is_file():
        raise DataError(f"{path} is none of {', '.join(SUFFIXES)}; rename or convert it to one of them")
    elif kind:
        raise DataError(f"cannot read {path}: there is no such file; name one that is there")
    else:
        tables = Source(path, None, split, None, setting).tables()
        rows = [Row(f"{file}, row {i}", row) for file, table in tables for i, row in enumerate(table, 1)]
    if not rows:
        raise DataError(f"{path} has no rows; give a file with some")
    return rows


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


def _read(file: Path, kind: str) -> Iterator[Row]:
    content = _content(file)
    if kind == ".parquet":
        yield from _of_table(file, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8; save it in UTF-8") from error
    if kind in {".csv", ".tsv"}:
        yield from _of_columns(file, text)
    elif kind == ".json" and (whole := _whole(file, text)) is not None:
        yield from _of_array(file, whole)
    else:
        yield from _of_lines(file, text)


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


def _of_columns(file: Path, text: str) -> Iterator[Row]:
    """Columns apart by whatever stands most often between the names."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a transcript may be longer than the usual limit
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        for fields in reader:
            if None in fields:
                raise DataError(f"{file}, line {reader.line_num}: more fields than columns; put texts in quotes")
            yield Row(f"{file}, line {reader.line_num}", dict(fields))
    except csv.Error as error:
        raise DataError(
            f"{file}, line {reader.line_num}: {error}; close every quote, and double those within"
        ) from error


def _whole(file: Path, text: str) -> Any:
    """A text as one JSON value; None where it is several, a line each, of which the first is whole."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DataError(f"{file} is nested too deeply to be read; write it flat, an object a row") from error
    except json.JSONDecodeError as error:
        with suppress(json.JSONDecodeError):
            json.loads(text.strip().partition("\n")[0])
            return None
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"{file}, {place} is no JSON ({error.msg}); mend it there, or write the file again") from error


def _of_array(file: Path, whole: Any) -> Iterator[Row]:
    """The objects of an array, of the one array that an object holds, or of the columns that it is."""
    rows = _of_object(whole) if isinstance(whole, dict) else whole
    for number, fields in enumerate(rows if isinstance(rows, list) else [rows], 1):
        yield Row(f"{file}, row {number}", _as_object(fields, f"{file}, row {number}"))


def _of_object(whole: dict[str, Any]) -> list[Any]:
    """Its columns side by side, as pandas writes them; the one array of objects in it; or itself."""
    columns = list(whole.values())
    if columns and all(isinstance(one, dict) and one.keys() == columns[0].keys() for one in columns):
        return [{name: column[key] for name, column in whole.items()} for key in columns[0]]
    if columns and all(isinstance(one, list) and len(one) == len(columns[0]) for one in columns) and len(columns) > 1:
        return [dict(zip(whole, fields, strict=True)) for fields in zip(*columns, strict=True)]
    arrays = [one for one in columns if isinstance(one, list) and one and isinstance(one[0], dict)]
    return arrays[0] if len(arrays) == 1 else [whole]


def _of_lines(file: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would also cut at U+2028 inside a text
        if line.strip():
            where = f"{file}, line {number}"
            try:
                fields = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(f"{where} is no JSON ({error}); each line must be a JSON object of its own") from error
            yield Row(where, _as_object(fields, where))


def _as_object(fields: Any, where: str) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise DataError(f"{where} is {json.dumps(fields)[:60]}; give an object with named fields")
    return fields
