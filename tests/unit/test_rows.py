"""Rows of other people's files: the same in every format, or one sentence."""

import csv
import gzip
import io
import json

import pandas as pd
import pytest

from leakage.data.rows import column, read_rows
from leakage.errors import DataError

ROWS = [{"text": 'a "b", c\nd\u2028e', "label": 1}, {"text": "ö;\t", "label": 0}]


def lines(rows=ROWS):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"


def separated(by):
    table = io.StringIO()
    writer = csv.DictWriter(table, ["text", "label"], delimiter=by)
    writer.writeheader()
    writer.writerows(ROWS)
    return table.getvalue()


TEXTS = {
    "lines.jsonl": lines(),
    "lines.ndjson": lines(),
    "lines.json": lines(),  # named as an array, and a line each
    "array.json": json.dumps(ROWS, indent=1),
    "held.json": json.dumps({"version": 2, "samples": ROWS}),
    "columns.json": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
    "of-pandas.json": pd.DataFrame(ROWS).to_json(),
    "byte-order-mark.jsonl": "\ufeff" + lines(),
    "crlf.jsonl": lines().replace("\n", "\r\n"),
    "gaps.jsonl": "\n" + lines().replace("\n", "\n\n"),
    "comma.csv": separated(","),
    "semicolon.csv": separated(";"),
    "byte-order-mark.csv": "\ufeff" + separated(","),
    "tab.tsv": separated("\t"),
    "CAPITALS.JSONL": lines(),
}


def told(rows):
    return [(row.fields["text"].replace("\r\n", "\n"), int(row.fields["label"])) for row in rows]


EXPECTED = [(row["text"], row["label"]) for row in ROWS]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_rows_in_every_format(tmp_path, name, packed):
    content = TEXTS[name].encode()
    file = tmp_path / (name + ".gz" * packed)
    file.write_bytes(gzip.compress(content) if packed else content)
    assert told(read_rows(str(file), "FILE")) == EXPECTED


def test_parquet_alone_packed_and_in_parts(tmp_path):
    frame = pd.DataFrame(ROWS)
    frame.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.parquet.gz").write_bytes(gzip.compress((tmp_path / "rows.parquet").read_bytes()))
    (tmp_path / "copy").mkdir()
    for i in range(2):
        frame[i : i + 1].to_parquet(tmp_path / "copy" / f"train-0000{i}-of-00002.parquet")
    for name in ("rows.parquet", "rows.parquet.gz", "copy"):
        assert told(read_rows(str(tmp_path / name), "FILE")) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2 is no JSON"),
        ("a.jsonl", b'{"text": "a"}\n[1]\n', r"line 2 is \[1\]; give an object with named fields"),
        ("a.jsonl", b"", "has no rows; give a file with some"),
        ("a.json", b"[]", "has no rows; give a file with some"),
        ("a.json", b'[{"text": "a"},\n {"text" 1}]', "line 2, column 10"),
        ("a.json", b'{"text": "a"}\nno', "line 2 is no JSON"),
        ("a.json", b"[" * 100_000, "is nested too deeply to be read"),
        ("a.csv", b"text,label\n", "has no rows; give a file with some"),
        ("a.csv", b"text,label\na,1,more\n", "line 2: more fields than columns"),
        ("a.csv", b'text,label\n"a,1\n', "close every quote"),
        ("a.csv", "text\nö\n".encode("latin-1"), "is not text in UTF-8"),
        ("a.parquet", b"PAR1", "is no whole Parquet file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}')[:-9], "cannot read"),
        ("a.jsonl.gz", b'{"text": "a"}', "cannot read"),
        ("a.txt", b"a", "is none of .jsonl"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        read_rows(str(tmp_path / name), "FILE")
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_rows(str(tmp_path / "none.csv"), "FILE")


def test_a_column_is_known_by_its_usual_names_or_chosen(tmp_path):
    (tmp_path / "a.jsonl").write_text(lines())
    rows = read_rows(str(tmp_path / "a.jsonl"), "FILE")
    assert column(rows, ("words", "text"), "--words", None) == "text"
    assert column(rows, ("words",), "--words", "label") == "label"
    with pytest.raises(DataError, match=r"a\.jsonl has no column 'txt' \(it has: text, label.*: --words COLUMN"):
        column(rows, ("words",), "--words", "txt")


def test_a_transcript_may_be_long(tmp_path):
    (tmp_path / "long.csv").write_text(f"text,label\n{'a' * 200_000},1\n")
    (row,) = read_rows(str(tmp_path / "long.csv"), "FILE")
    assert len(row.fields["text"]) == 200_000
