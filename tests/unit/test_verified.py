"""Digests taken once are not taken again, and a touched file is."""

import os
import time

import pytest

from leakage.store import verified
from leakage.store.record import Record, Status


@pytest.fixture
def record(tmp_path):
    record = Record(tmp_path)
    with record.writing("adapter", "1", identity={}) as draft:
        draft.path("weights.bin").write_bytes(b"w" * 1000)
    return record


@pytest.fixture
def old(monkeypatch):
    """As if some time had passed since the files were written."""
    monkeypatch.setattr(verified, "_RACY_NS", -(10**9))


@pytest.mark.usefixtures("old")
def test_a_second_look_reads_nothing(record, monkeypatch):
    assert record.status() is Status.DONE
    monkeypatch.setattr(verified, "file_digest", lambda path: pytest.fail(f"read {path}"))
    assert record.status() is Status.DONE


def test_a_file_just_written_is_read_again(record):
    assert record.status() is Status.DONE
    assert not (record.folder / verified.NAME).exists()


@pytest.mark.usefixtures("old")
def test_a_changed_file_of_the_same_size_and_time_is_noticed(record):
    assert record.status() is Status.DONE
    file = record.folder / "weights.bin"
    stat = file.stat()
    time.sleep(0.02)
    file.write_bytes(b"v" * 1000)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert record.status() is Status.DAMAGED


@pytest.mark.usefixtures("old")
def test_a_manifest_with_a_wrong_digest_is_noticed(record):
    assert record.status() is Status.DONE
    manifest = record.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(record.digest_of("weights.bin"), "0" * 64))
    assert record.status() is Status.DAMAGED


@pytest.mark.usefixtures("old")
def test_a_folder_that_cannot_be_written_is_read_all_the_same(record):
    (record.folder / verified.NAME).mkdir()
    assert record.status() is Status.DONE
