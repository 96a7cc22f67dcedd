"""`python -m leakage` as a user meets it: pipes, long waits, folders that must not be replaced."""

import logging
import os
import subprocess
import sys
from time import sleep

import pytest

from leakage import progress
from tests import programs
from tests.conftest import ROOT
from tests.unit.figure_data import tidy

LEAKAGE = ["-m", "leakage"]


@pytest.fixture
def points(tmp_path):
    tidy(("refusal",), ("villain", "comedian")).to_csv(tmp_path / "points.csv", index=False)
    return str(tmp_path / "points.csv")


@pytest.mark.parametrize("form", ["csv", "rich"])
def test_a_reader_who_has_seen_enough_is_no_error(points, form):
    shell = f"'{sys.executable}' -m leakage table --format {form} --points '{points}' | true"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    told = {"cwd": ROOT, "env": buffered, "capture_output": True, "text": True, "timeout": 120, "check": True}
    complaints = subprocess.run(["sh", "-c", shell], **told).stderr.splitlines()
    assert [
        line for line in complaints if not line.endswith("so far")
    ] == []  # on a busy machine it tells that it waits


def test_a_folder_that_is_no_report_is_refused_before_anything_is_read_or_drawn(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    command = [*LEAKAGE, "report", "--points", str(tmp_path / "none.csv"), "--out", str(tmp_path / "mine")]
    done = programs.run(*command)
    assert done.returncode == 1
    assert "is there and is no report; name another folder with --out, or remove it" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_what_cannot_be_counted_tells_that_it_goes_on_and_stops_when_it_is_over(monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY", 0.05)
    caplog.set_level(logging.INFO)
    with progress.waiting("table of many cells"):
        sleep(0.3)
    told = len(caplog.messages)
    assert told >= 2
    assert all(line.startswith("table of many cells: ") for line in caplog.messages)
    sleep(0.2)
    assert len(caplog.messages) == told


def test_what_comes_of_an_outside_result_stays_apart_from_the_results(points, tmp_path):
    command = [*LEAKAGE, "figures", "--points", points, "--multirun", str(tmp_path / "multirun")]
    programs.run(*command, check=True)
    assert [path.name for path in (tmp_path / "multirun").iterdir()] == ["points-points"]
    assert (tmp_path / "multirun" / "points-points" / "figures" / "nano-scatter.png").is_file()
