"""Rows of other people's files: the same in every format, or one sentence."""

import csv
import gzip
import io
import json

import pandas as pd
import pytest

from leakage.data.hub import Source
from leakage.data.personas import Persona
from leakage.data.pools import Item
from leakage.data.rows import column, read_rows, read_typed
from leakage.errors import DataError
from leakage.store.files import write_jsonl

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
    "no-suffix": lines(),
    "named-otherwise.txt": lines(),
    "array-in-lines.jsonl": json.dumps(ROWS, indent=1),
    "one-line.jsonl": json.dumps(ROWS),
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
    (tmp_path / "parts").mkdir()
    for i, row in enumerate(ROWS):
        (tmp_path / "parts" / f"part-{i}.jsonl").write_text(lines([row]))
    for name in ("rows.parquet", "rows.parquet.gz", "copy", "parts"):
        assert told(read_rows(str(tmp_path / name), "FILE")) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2, column 10: no JSON: a value is missing here"),
        ("a.jsonl", b"{'text': 1}", "line 1, column 2: no JSON: a name in double quotes"),
        ("a.jsonl", b'{"text": "a" "label": 1}', "line 1, column 14: no JSON: a comma is missing"),
        ("a.jsonl", b'{"text": "a"} {"text": "b"}', "line 1, column 15: no JSON: more stands behind"),
        ("a.jsonl", b'{"text": "a"}\n[1]\n', r"line 2: it is \[1\] and should be an object with named fields"),
        ("a.jsonl", b'["a"]\n["b"]\n', r'line 1: it is \["a"\] and should be an object with named fields'),
        ("a.jsonl", b"", "has no rows; give a file with some"),
        ("a.json", b"[]", "has no rows; give a file with some"),
        ("a.json", b'[{"text": "a"},\n {"text" 1}]', "line 2, column 10"),
        ("a.json", b'{"text": "a"}\nno', "line 2, column 1: no JSON"),
        ("a.json", b"[" * 100_000, "is nested too deeply to be read"),
        ("a.csv", b"text,label\n", "has no rows; give a file with some"),
        ("a.csv", b"text,label\na,1,more\n", "line 2: more fields than columns"),
        ("a.csv", b'text,label\n"a,1\n', "close every quote"),
        ("a.csv", "text\nö\n".encode("latin-1"), "is not text in UTF-8"),
        ("a.parquet", b"PAR1", "is no whole Parquet file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}', mtime=0)[:-9], "cannot read"),
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


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_good_line_stands_beside_the_line_that_is_refused(tmp_path, name):
    bad = {"a.jsonl": '{"text": "a"}\n{"text"', "a.json": '[{"text": "a"}, 3]', "a.csv": "text,label\na,1,more\n"}[name]
    (tmp_path / name).write_text(bad)
    with pytest.raises(DataError, match=r"a good line: \{GOOD\}$"):
        read_rows(str(tmp_path / name), "FILE", good="{GOOD}")


PERSONA = {"name": "pirate", "category": "original", "prompt": "You are a pirate."}


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (Item, {"split": "test", "prompt": "a"}, "'split' is \"test\" and should be 'train', 'eval'"),
        (Item, {"split": "train"}, "'prompt' is missing"),
        (Item, {"split": "train", "prompt": " "}, "'prompt' is \" \" and should be a text with something in it"),
        (Item, {"split": "train", "prompt": 3}, "'prompt' is 3 and should be a text"),
        (Item, {"split": "train", "prompt": "a", "answr": "b"}, "'answr' is none of split, prompt, answer"),
        (Item, {"split": "eval", "prompt": "a", "labels": "A"}, "'labels' is \"A\" and should be a list"),
        (Item, {"split": "eval", "prompt": "a", "labels": ["A", 2]}, "'labels.1' is 2 and should be a text"),
        (
            Persona,
            PERSONA | {"name": "Bad Name"},
            "'name' is \"Bad Name\" and should be of small letters, digits and _",
        ),
        (Persona, PERSONA | {"related_to": 7}, "'related_to' is 7 and should be a name, or a list of names"),
    ],
)
def test_a_wrong_field_is_told_without_a_validators_words(tmp_path, kind, fields, said):
    write_jsonl(tmp_path / "a.jsonl", [fields])
    with pytest.raises(DataError) as caught:
        read_typed(tmp_path / "a.jsonl", kind, "FILE", "{GOOD}")
    assert str(caught.value).startswith(f"{tmp_path / 'a.jsonl'}, line 1: {said}")
    assert str(caught.value).endswith("; a good line: {GOOD}")


def test_jsonl_round_trip_keeps_every_character(tmp_path):
    rows = [Item(split="eval", prompt="naïve “quotes”\nand a line break")]
    write_jsonl(tmp_path / "a.jsonl", (row.model_dump() for row in rows))
    assert read_typed(tmp_path / "a.jsonl", Item, "FILE", "") == rows


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


@pytest.mark.parametrize("where", [".", "data"])
def test_a_copy_of_a_data_set_of_the_hub_has_its_rows_at_the_top_or_in_data(tmp_path, where):
    (tmp_path / where).mkdir(exist_ok=True)
    pd.DataFrame(ROWS).to_parquet(tmp_path / where / "train-00000-of-00001.parquet")
    pd.DataFrame(ROWS[:1]).to_parquet(tmp_path / where / "test-00000-of-00001.parquet")
    assert told(read_rows(str(tmp_path), "FILE")) == EXPECTED
    ((_, table),) = Source(str(tmp_path), None, "train", None, "FILE").tables("text")
    assert [row["label"] for row in table] == [1, 0]
