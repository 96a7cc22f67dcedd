"""Answers in the formats of other tools, read back by these tools."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from leakage.studies.registry import studies
from tests.programs import ROOT

OTHER_PYTHON = os.environ.get("INSPECT_PYTHON", sys.executable)  # inspect_ai's packages need not be those of ours


@pytest.fixture(scope="module")
def sets(tiny):
    return {one.name: one for one in studies()[0].answer_sets(tiny)}


def exported(program, form, multirun, folder):
    return program("-m", "leakage", "export", form, "--out", str(folder), "--multirun", str(multirun))


def test_each_cell_is_exported_before_and_after_and_a_shared_baseline_once(sets):
    assert sorted((one.facts["source"], one.facts["when"]) for one in sets.values()) == [
        ("comedian", "after"), ("none", "before"), ("villain", "after")
    ]  # fmt: skip


def test_inspect_reads_the_logs_as_they_were_meant(tiny, sets, program, tmp_path):
    if subprocess.run([OTHER_PYTHON, "-c", "import inspect_ai"], capture_output=True, check=False).returncode:
        pytest.skip("inspect_ai is not installed; INSPECT_PYTHON may name a Python that has it")
    assert exported(program, "inspect", tiny, tmp_path / "logs").returncode == 0
    reader = str(ROOT / "tests" / "e2e" / "inspect_read.py")
    done = subprocess.run([OTHER_PYTHON, reader, str(tmp_path / "logs")], capture_output=True, text=True, check=True)
    logs = json.loads(done.stdout.splitlines()[-1])
    assert logs.keys() == sets.keys()
    for name, log in logs.items():
        frame = sets[name].frame
        due = zip(*(frame[column] for column in ("persona", "prompt", "sample", "completion", "score")), strict=True)
        assert log["samples"] == [[f"{who}/{i}", n + 1, text, text, score] for who, i, n, text, score in due]
        assert (log["status"], log["model"]) == ("success", "nano")
        assert log["mean"] == pytest.approx(frame["score"].mean())


def test_datasets_loads_the_folder_with_every_answer(tiny, sets, program, tmp_path, monkeypatch):
    from datasets import load_dataset

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert exported(program, "hub", tiny, tmp_path / "hub").returncode == 0
    rows = load_dataset(str(tmp_path / "hub"), split="train", cache_dir=str(tmp_path / "cache")).to_pandas()
    due = pd.concat([one.frame.assign(when=one.facts["when"]) for one in sets.values()])
    keys = ["when", "persona", "prompt", "sample", "completion", "score"]
    assert sorted(rows[keys].values.tolist()) == sorted(due[keys].values.tolist())
    assert set(rows["train_id"]) == {one.facts["train_id"] for one in sets.values()}


def test_transcripts_of_the_second_study_come_with_what_was_sent(planted):
    sets = list(studies()[1].answer_sets(planted))
    assert sets
    for one in sets:
        assert set(one.frame["tier"]) == {"free", "paid"}
        assert not one.frame["user"].str.contains("{").any()
        assert one.frame["user"].str.len().min() > 0


def test_an_export_never_lands_among_other_files(tiny, program, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = exported(program, "hub", tiny, tmp_path)
    assert done.returncode == 1
    assert "is there and not empty; name a new folder with --out" in done.stderr
