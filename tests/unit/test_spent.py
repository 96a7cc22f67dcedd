"""The seconds a record took are those of all starts that had a part in it, however they ended."""

import signal
import subprocess
import sys
import time

import pytest

from leakage.jobs.signals import Stopped
from leakage.store.claim import abandoned
from leakage.store.record import Record, Status
from tests.conftest import ROOT
from tests.unit.test_claims import holder

WORK = """
import sys, time
from pathlib import Path
from leakage.store import claim
from leakage.store.record import Record, Status
claim.BEAT_S = float(sys.argv[2])
record = Record(Path(sys.argv[1]))
def make(draft):
    print("at it", flush=True)
    time.sleep(60)
record.fill("adapter", "1", make, identity={}, label="other", wanted=lambda: record.status() is not Status.DONE)
"""


def fill(folder, *, seconds=0.0, error=None):
    """Fill a record, which takes so long, or fails after it."""
    record = Record(folder)

    def make(draft):
        time.sleep(seconds)
        if error:
            raise error
        draft.path("a.txt").write_text("x")

    record.fill("adapter", "1", make, identity={}, label="mine", wanted=lambda: record.status() is not Status.DONE)


def wall_seconds(folder):
    return Record(folder).manifest.provenance["wall_seconds"]


def killed(folder, *, after, beat=0.05):
    """Another process that is killed while it fills a record, so many seconds after it began."""
    command = [sys.executable, "-c", WORK, str(folder), str(beat)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "at it\n"
        time.sleep(after)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("error", [ValueError("no luck"), Stopped(3), KeyboardInterrupt()], ids=repr)
def test_a_start_that_failed_or_was_stopped_counts(tmp_path, error):
    with pytest.raises(type(error)):
        fill(tmp_path, seconds=1, error=error)
    fill(tmp_path, seconds=0.2)
    assert 1.2 <= wall_seconds(tmp_path) < 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "manifest.json"]


def test_a_start_that_was_killed_counts_until_its_last_sign_of_life(tmp_path):
    killed(tmp_path, after=1.5)
    assert 1 <= abandoned(tmp_path).seconds < 30
    fill(tmp_path)
    assert 1 <= wall_seconds(tmp_path) < 30


def test_all_starts_count(tmp_path):
    with pytest.raises(ValueError, match="no luck"):
        fill(tmp_path, seconds=0.5, error=ValueError("no luck"))
    for _ in range(2):
        killed(tmp_path, after=0.8)
    with pytest.raises(ValueError, match="no luck"):
        fill(tmp_path, seconds=0.5, error=ValueError("no luck"))
    fill(tmp_path)
    assert 2 <= wall_seconds(tmp_path) < 60


def test_what_was_noted_outlives_a_start_that_was_killed_before_its_first_sign_of_life(tmp_path):
    with pytest.raises(ValueError, match="no luck"):
        fill(tmp_path, seconds=1, error=ValueError("no luck"))
    killed(tmp_path, after=0, beat=60)
    fill(tmp_path)
    assert wall_seconds(tmp_path) >= 1


def test_a_record_that_is_made_once_more_starts_anew(tmp_path):
    with pytest.raises(ValueError, match="no luck"):
        fill(tmp_path, seconds=1, error=ValueError("no luck"))
    fill(tmp_path)
    assert wall_seconds(tmp_path) >= 1
    Record(tmp_path).set_aside()
    fill(tmp_path)
    assert wall_seconds(tmp_path) < 1


def test_waiting_for_another_process_is_no_work(tmp_path):
    other = holder(tmp_path, 1.5)
    fill(tmp_path)
    assert other.wait(10) == 0
    assert wall_seconds(tmp_path) < 1
