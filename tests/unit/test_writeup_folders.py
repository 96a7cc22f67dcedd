"""What a write-up says of the folders behind its cells: which differ, what they took, where everything lies."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from leakage.report.compute import spent
from leakage.store.files import write_json
from leakage.store.journal import Journal
from leakage.store.manifest import file_entry
from leakage.studies.persona_leakage.report.cells import read_cells
from leakage.studies.persona_leakage.report.sections import tables
from leakage.studies.persona_leakage.report.writeup import write_up
from leakage.studies.persona_leakage.results import results
from tests.browser.made import make_result

ANSWER = {"text": "7", "stop_reason": "end_turn", "model": "judge", "input_tokens": 1, "output_tokens": 1}


@pytest.fixture
def multirun(tmp_path):
    make_result(
        tmp_path, behaviors=("refusal",), sources=("villain", "comedian", "assistant"), prompts=3, personas=12,
        judge="claude",
    )  # fmt: skip
    return tmp_path


def told(multirun):
    frame = results(multirun)
    made = tables(frame)
    return write_up(read_cells(frame, multirun, made["designs"]), made, ["made-scatter.png", "other-scatter.png"])


def change_manifest(folder, change):
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def section(text, title):
    return text.split(f"### {title}\n")[1].split("\n### ")[0]


def row(text, start):
    (line,) = [one for one in text.splitlines() if one.startswith(start)]
    return [one.strip() for one in line.strip("|").split("|")]


def test_cells_of_one_kind_are_said_to_be_alike(multirun):
    data = section(told(multirun), "Set-up")
    assert row(data, "| refusal |")[1:5] == ["3", "20 source, 20 bystander and 20 no_persona", "1", "1,000"]
    assert "Cells of one row were taught from as many examples of each role" in data
    assert "Cells that differ" not in data


@pytest.mark.parametrize("other", ["villain", "assistant"])
def test_a_cell_that_departs_from_most_is_named_with_what_differs_whichever_comes_first(multirun, other):
    folder = multirun / f"made/refusal/{other}/seed42-{other[:4]}42"
    write_json(folder / "lint.json", [{"rule": "left_out", "level": "warning", "message": "none of 20 anchors"}])

    def change(manifest):
        manifest["facts"] |= {"examples": {"source": 20, "bystander": 20}, "steps": 30}
        manifest["files"]["lint.json"] = file_entry(folder / "lint.json").model_dump()

    change_manifest(folder, change)
    data = section(told(multirun), "Set-up")
    assert row(data, "| refusal |")[2] == "20 source, 20 bystander and 20 no_persona"
    (line,) = [one for one in data.splitlines() if one.startswith("- ")]
    assert line == (
        f"- refusal taught to {other}, seed 42: 20 source and 20 bystander examples instead of 20 source, 20 bystander "
        "and 20 no_persona, 30 steps instead of 40 and lint says left_out: none of 20 anchors."
    )


def test_hours_are_those_of_each_record_once_and_dollars_those_of_the_verdicts(multirun):
    folders = [file.parent for file in multirun.rglob("manifest.json")]
    for folder in folders:
        change_manifest(folder, lambda manifest: manifest["provenance"].update(wall_seconds=1800))
    for file in multirun.rglob("verdicts.parquet"):
        verdicts = pd.read_parquet(file).assign(usd=0.0)
        verdicts.loc[0, "usd"] = 1.25
        verdicts.to_parquet(file, index=False)
        entry = {file.name: file_entry(file).model_dump()}
        change_manifest(file.parent, lambda one, entry=entry: one["files"].update(entry))
    costs = section(told(multirun), "Compute")
    assert [row(costs, f"| {stage} |")[1:3] for stage in ("geometry", "training", "generation", "judging", "all")] == [
        ["1", "0.500"], ["3", "1.500"], ["4", "2.000"], ["4", "2.000"], ["12", "6.000"],
    ]  # fmt: skip
    assert row(costs, "| judging |")[4] == row(costs, "| all |")[4] == "5.00"
    assert len(folders) == 12
    assert "No model behind an API was asked." in costs


def test_a_reply_that_was_kept_twice_was_paid_once(multirun):
    for folder, keys in (("claude", "aab"), ("gpt", "c")):
        journal = Journal(multirun / "replies" / folder)
        for key in keys:
            journal.append({"key": key, "answer": ANSWER | {"usd": 0.5}})
        journal.append({"batch": "b", "ended": True})
    assert spent(multirun) == {"claude": 1.0, "gpt": 0.5}
    assert "have cost claude $1.00 and gpt $0.50" in section(told(multirun), "Compute")


def test_every_path_is_there_and_every_kind_of_artifact_is_named(multirun):
    made = section(told(multirun), "Artifacts")
    paths = [one for one in re.findall(r"`([^`]+)`", made) if "/" in one and not one.startswith("python")]
    there = {one for one in paths if (multirun / one).exists()}
    assert set(paths) - there == {"figures/made-scatter.png"}  # beside the write-up
    assert {Path(one).name for one in there} == {"completions.parquet", "scores.parquet", "cosines.parquet"}
    assert any("/none/base-0/" in one for one in there)
    assert f"python -m leakage table --format csv --multirun {multirun}" in made
