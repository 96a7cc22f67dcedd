"""What a sweep launches: what is missing, only what has failed, or the cells once more; and what it says of them."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from leakage.store.record import Record
from tests.conftest import ROOT
from tests.survival.helpers import few_personas, tables


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    return few_personas(tmp_path_factory.mktemp("panel"))


@pytest.fixture
def sweep(program, panel):
    """Exit status of a sweep over two small cells, and what it said."""

    def run(*overrides):
        done = program("run.py", "-m", "debug=tiny", panel, "source=villain,comedian", *overrides)
        return done.returncode, done.stdout + done.stderr

    return run


def manifests(folder):
    found = [path for path in folder.rglob("manifest.json") if "replaced-" not in str(path)]
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def test_resume_retry_and_force(sweep, tmp_path):
    multirun = tmp_path / "multirun"
    assert sweep()[0] == 0
    first, before = tables(multirun), manifests(multirun)
    assert "nothing to compute" in sweep()[1]

    (villain,) = multirun.glob("nano/refusal/villain/seed42-*")
    (comedian,) = multirun.glob("nano/refusal/comedian/seed42-*")
    Record(villain).set_aside()
    (villain / "failed.json").write_text(json.dumps({"error": "ValueError: once", "stage": "adapter"}))
    Record(comedian).set_aside()  # never begun, as far as retry can tell, but for its answers
    code, said = sweep("plan=true")
    assert code == 0
    assert "failed   refusal x villain" in said
    assert "to do    refusal x comedian" in said
    code, said = sweep("mode=retry")
    assert code == 0, said
    assert "mode=retry launches 1" in said
    assert "1 of 1 jobs done" in said
    assert not (comedian / "manifest.json").exists()
    assert sweep()[0] == 0
    assert tables(multirun) == first

    before = manifests(multirun)
    code, said = sweep("mode=force")
    assert code == 0, said
    assert "2 of 2 jobs done" in said
    after = manifests(multirun)
    same = {name for name in before if before[name] == after[name]}
    assert all("/none/" in name or "geometry-" in name for name in same)
    assert len(same) == 3  # the baseline and the geometry stay
    assert tables(multirun) == first
    assert (villain / "replaced-2" / "manifest.json").is_file()


def test_a_plan_knows_hours_once_a_cell_is_done_and_leaves_nothing_behind(sweep, tmp_path):
    code, said = sweep("plan=true")
    assert code == 0
    assert "time: not measured yet for adapter on nano, completions on nano, geometry on nano" in said
    assert not (tmp_path / "multirun").exists()


def test_failures_of_a_sweep_are_a_table_and_an_exit_status(sweep):
    """Learning rates that make one cell of two diverge: the other is done."""
    code, said = sweep("train.learning_rate=1e-4,1e30", "source=villain")
    assert code == 1
    assert "3 of 4 jobs done" in said
    (row,) = [line for line in said.splitlines() if line.startswith("failed")]
    assert "refusal x villain on nano, seed 42" in row
    assert "training diverged at step" in row
    assert row.rstrip().endswith("run.log")
    assert "error: 1 of 4 jobs are not done; the table above says why, and the same command goes on with them" in said


def test_watch_keeps_the_status_on_the_screen(sweep, tmp_path):
    assert sweep()[0] == 0
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "leakage", "status", "--watch", "--multirun", str(tmp_path / "multirun")],
        cwd=ROOT, stdout=theirs, stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    os.close(theirs)
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert b"4 done" in os.read(ours, 100_000)
    os.close(ours)
