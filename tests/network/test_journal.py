"""The journal: what was appended is there after a kill, and nobody's torn line spoils it."""

import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leakage.errors import StoreError
from leakage.store import journal as module
from leakage.store.journal import Journal
from tests.conftest import ROOT

APPEND = "import sys; from pathlib import Path; from leakage.store.journal import Journal; {}"


def appending(folder, body, **options):
    code = APPEND.format(f"journal = Journal(Path({str(folder)!r})); {body}")
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def test_rows_come_back_as_they_were_appended(tmp_path):
    journal = Journal(tmp_path / "replies")
    assert journal.rows() == []
    rows = [{"key": "a", "text": "line\nbreak \u2028 ü \ud800"}, {"key": "b", "usd": 0.1}]
    for row in rows:
        journal.append(row)
    assert journal.rows() == Journal(tmp_path / "replies").rows() == rows


def test_threads_share_a_journal_and_no_line_is_lost(tmp_path):
    journal = Journal(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: journal.append({"n": n, "text": "x" * 5000}), range(200)))
    assert sorted(row["n"] for row in journal.rows()) == list(range(200))
    assert len(list(tmp_path.iterdir())) == 1


def test_every_process_writes_a_file_of_its_own(tmp_path):
    processes = [appending(tmp_path, f"[journal.append({{'n': {n}}}) for _ in range(20)]") for n in (1, 2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        process.stdout.close()
    Journal(tmp_path).append({"n": 3})
    assert sorted({json.loads(line)["n"] for line in path.read_text().splitlines()}.pop() for path in tmp_path.iterdir()) == [1, 2, 3]  # fmt: skip # noqa: E501
    assert len(Journal(tmp_path).rows()) == 41


def test_what_was_appended_survives_a_kill(tmp_path):
    with appending(tmp_path, "journal.append({'n': 1}); print('done', flush=True); sys.stdin.read()",
                   stdin=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout.readline() == "done\n"
        os.kill(process.pid, signal.SIGKILL)
    assert Journal(tmp_path).rows() == [{"n": 1}]


def test_a_row_is_on_the_disk_before_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    Journal(tmp_path).append({"n": 1})
    assert synced == [len('{"n": 1}\n')]


def test_a_torn_last_line_is_passed_over_and_stays_torn(tmp_path):
    (tmp_path / "killed.jsonl").write_bytes(b'{"n": 1}\n{"n": 2, "text": "half a lin\xc3')
    journal = Journal(tmp_path)
    journal.append({"n": 3})
    assert sorted(row["n"] for row in journal.rows()) == [1, 3]


def test_lines_that_are_no_object_are_passed_over(tmp_path):
    (tmp_path / "mixed.jsonl").write_text('[1]\n"two"\n3\nnull\n\n{"n": 4}\nnonsense\n')
    assert Journal(tmp_path).rows() == [{"n": 4}]


def test_a_full_disk_is_told_in_one_sentence_and_later_rows_are_whole(tmp_path):
    journal = Journal(tmp_path)
    journal.append({"n": 1})
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))  # the next row is cut off after 10 bytes
    try:
        with pytest.raises(StoreError, match=r"^cannot write .*\.jsonl: File too large; free some space or name"):
            journal.append({"n": 2, "text": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    journal.append({"n": 3})
    assert sorted(row["n"] for row in journal.rows()) == [1, 3]


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"^cannot write .*file/.*\.jsonl: .*; free some space or name a folder"):
        Journal(tmp_path / "file").append({"n": 1})


@pytest.fixture
def parsed(monkeypatch):
    """The lines that have been parsed."""
    lines, parse = [], module._object
    monkeypatch.setattr(module, "_object", lambda line: lines.append(line) or parse(line))
    return lines


def test_a_journal_is_read_once_a_process_whoever_asks(tmp_path, parsed):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    for _ in range(5):
        assert [row["n"] for row in Journal(tmp_path).rows()] == [1, 2, 1, 2]
    assert len([line for line in parsed if line]) == 4


def test_a_file_that_grew_is_read_from_where_it_was(tmp_path, parsed):
    journal = Journal(tmp_path)
    journal.append({"n": 1})
    assert Journal(tmp_path).rows() == [{"n": 1}]
    for n in (2, 3):
        journal.append({"n": n})
        parsed.clear()
        assert Journal(tmp_path).rows()[-1] == {"n": n}
        assert [line for line in parsed if line] == [b'{"n": %d}' % n]
    assert Journal(tmp_path).rows() == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_line_that_is_whole_later_is_read_then(tmp_path):
    file = tmp_path / "other.jsonl"
    for text, rows in [
        ('{"n": 1}\n{"n": 2', [1]), ('{"n": 1}\n{"n": 22}', [1, 22]), ('{"n": 1}\n{"n": 22}\n', [1, 22]),
        ('{"n": 1}\n{"n": 22}\n{"n": 3}\n', [1, 22, 3]),
    ]:  # fmt: skip
        file.write_text(text)
        assert [row["n"] for row in Journal(tmp_path).rows()] == rows


@pytest.mark.parametrize(
    "text", ['{"n": 9}\n', '{"n": 8}\n{"n": 9}\n', '{"n": 8}\n{"n": 7}\n{"n": 9}\n', '{"n": 9}', ""]
)
def test_a_file_that_is_another_now_is_read_anew(tmp_path, text):
    file = tmp_path / "other.jsonl"
    file.write_text('{"n": 1}\n{"n": 2}\n')
    assert len(Journal(tmp_path).rows()) == 2
    file.write_text(text)
    os.utime(file, ns=(0, 0))
    assert Journal(tmp_path).rows() == [json.loads(line) for line in text.splitlines()]
    file.unlink()
    assert Journal(tmp_path).rows() == []


def test_what_a_reader_does_to_its_rows_is_its_own_affair(tmp_path):
    Journal(tmp_path).append({"n": 1})
    Journal(tmp_path).rows().clear()
    assert Journal(tmp_path).rows() == [{"n": 1}]


def test_what_is_made_of_the_rows_is_made_once_until_they_change(tmp_path):
    made = []

    def count(rows):
        made.append(len(rows))
        return len(rows)

    journal = Journal(tmp_path / "replies")
    assert [Journal(tmp_path / "replies").made(count) for _ in range(3)] == [0, 0, 0]
    journal.append({"n": 1})
    assert [Journal(tmp_path / "replies").made(count) for _ in range(3)] == [1, 1, 1]
    assert made == [0, 1]


def test_folders_named_from_elsewhere_are_told_apart(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name / "replies").mkdir(parents=True)
        (tmp_path / name / "replies" / "x.jsonl").write_text(f'{{"n": "{name}"}}\n')
        os.utime(tmp_path / name / "replies" / "x.jsonl", ns=(0, 0))
        monkeypatch.chdir(tmp_path / name)
        assert Journal(Path("replies")).rows() == [{"n": name}]
