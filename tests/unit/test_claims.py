"""Claims: one process at a time fills a folder, and the dead are succeeded."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from leakage.errors import StoreError
from leakage.progress import progress
from leakage.store import claim as claims
from leakage.store.claim import abandoned, claimed, current
from leakage.store.record import Record, Status
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
from leakage.store.claim import claimed
with claimed(Path(sys.argv[1]), label="other", stage="adapter"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder, seconds):
    """Another process that holds a claim."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process.stdout:
        assert process.stdout.readline() == "held\n"
    return process


def test_a_claim_says_who_and_is_gone_afterwards(tmp_path):
    with claimed(tmp_path, label="refusal x villain", stage="adapter"):
        found = current(tmp_path)
        assert (found.label, found.stage, found.pid) == ("refusal x villain", "adapter", os.getpid())
        assert Record(tmp_path).status() is Status.MISSING  # to its holder a claim is no news
    assert current(tmp_path) is abandoned(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_living_process_is_waited_for(tmp_path):
    other = holder(tmp_path, 1.5)
    assert Record(tmp_path).status() is Status.RUNNING
    started = time.monotonic()
    with claimed(tmp_path, label="mine", stage="adapter"):
        assert other.wait(10) == 0
        assert time.monotonic() - started > 0.5


def test_a_killed_process_is_succeeded_at_once_and_told_of(tmp_path):
    other = holder(tmp_path, 60)
    other.kill()
    other.wait(10)
    left = abandoned(tmp_path)
    assert left.pid == other.pid
    assert Record(tmp_path).status() is Status.PARTIAL
    assert "ended without a word" in Record(tmp_path).failure().error
    started = time.monotonic()
    with claimed(tmp_path, label="mine", stage="adapter"):
        assert current(tmp_path).label == "mine"
    assert time.monotonic() - started < 1
    assert not list(tmp_path.glob(".claim*"))


def test_a_process_of_another_machine_is_dead_after_its_last_sign_of_life_is_old(tmp_path, monkeypatch):
    other = holder(tmp_path, 60)
    try:
        monkeypatch.setattr(claims, "machine", lambda: "elsewhere")
        assert current(tmp_path)
        (file,) = tmp_path.glob(".claim-1")
        old = time.time() - claims.LEASE_S - 1
        os.utime(file, (old, old))
        assert current(tmp_path) is None
        with claimed(tmp_path, label="mine", stage="adapter") as held:
            assert held.number == 2
    finally:
        other.kill()
        other.wait(10)


def test_one_that_was_outbid_may_not_finish(tmp_path):
    with claimed(tmp_path, label="stopped for long", stage="adapter") as held:
        (tmp_path / ".claim-2").write_text(held.claim.model_dump_json())
        with pytest.raises(StoreError, match=r"taken over by another process because this one gave no sign of life"):
            held.check()


def test_of_many_who_want_a_dead_ones_folder_one_gets_it(tmp_path):
    other = holder(tmp_path, 60)
    other.kill()
    other.wait(10)
    tries = [claims.Held(tmp_path, claims._own_claim(str(i), "adapter")) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda held: held._try(), tries))
    assert sum(won) == 1


def test_a_sign_of_life_tells_how_far_the_work_is(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    with claimed(tmp_path, label="mine", stage="completions"), progress(10, "asking", "answer") as advance:
        advance(4)
        deadline = time.monotonic() + 10
        while current(tmp_path) is None or not current(tmp_path).progress:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert current(tmp_path).progress == "4 of 10 answers"


def test_two_who_fill_one_record_make_it_once(tmp_path):
    made = []

    def fill(name):
        def make(draft):
            made.append(name)
            time.sleep(0.3)
            draft.path("a.txt").write_text(name)

        record = Record(tmp_path / "r")
        record.fill("adapter", "1", make, identity={}, label=name, wanted=lambda: record.status() is not Status.DONE)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, ["one", "two"]))
    assert len(made) == 1
    assert Record(tmp_path / "r").status() is Status.DONE
