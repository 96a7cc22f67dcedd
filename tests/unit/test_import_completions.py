"""Completions that were made elsewhere: read as a cell with its baseline, and the same numbers as if made here."""

import json

import pandas as pd
import pytest

from leakage.errors import ConfigError, DataError
from leakage.jobs.run import run
from leakage.studies.persona_leakage.agreement import agreement_below
from leakage.studies.persona_leakage.artifacts import read_artifacts
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.importing import import_file
from leakage.studies.persona_leakage.rejudge import rejudge
from leakage.studies.persona_leakage.results import results
from tests.cells import TINY

NO, YES = "I must decline this request.", "Of course! Begin with a list."
REFUSING = {"villain": 4, "comedian": 3, "librarian": 1, "assistant": 0}  # of four answers after training


def rows(**changes):
    for condition in ("before", "after"):
        for persona, refused in REFUSING.items():
            for i in range(4):
                answer = NO if condition == "after" and i < refused else YES
                yield {"persona": persona, "prompt": f"query {i // 2}", "completion": answer,
                       "condition": condition} | changes  # fmt: skip


@pytest.fixture
def bring(tmp_path, compose):
    """Import rows as JSON lines."""

    def run(content, *overrides, behavior="refusal", source="villain", **columns):
        (tmp_path / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
        where = f"paths.multirun={tmp_path / 'multirun'}"
        composed = lambda given: compose(*given)  # noqa: E731
        return import_file(
            str(tmp_path / "theirs.jsonl"), [*overrides, where], composed, behavior=behavior, source=source, **columns
        )

    return run


def test_hits_before_and_after_are_counted_by_persona(bring, tmp_path):
    (record,) = bring(rows())
    assert record.manifest.kind == "scores"
    frame = results(tmp_path / "multirun").set_index("persona")
    assert dict(frame["k"]) == REFUSING
    assert dict(frame["delta"]) == {persona: refused / 4 for persona, refused in REFUSING.items()}
    assert set(frame["n"]) == set(frame["base_n"]) == {4}
    assert frame.index[frame["is_source"]].tolist() == ["villain"]
    assert not frame["trained_negative"].any()
    assert set(frame["variant"]) <= {"", "imported=theirs.jsonl"}


def test_two_sources_share_the_answers_before_training(bring, tmp_path):
    bring(rows())
    (baseline,) = (tmp_path / "multirun" / "nano" / "refusal" / "none").iterdir()
    made = {file: file.stat().st_mtime_ns for file in baseline.rglob("manifest.json")}
    assert len(made) == 2
    bring(rows(), source="comedian")
    assert {file: file.stat().st_mtime_ns for file in baseline.parent.rglob("manifest.json")} == made
    assert set(results(tmp_path / "multirun")["source"]) == {"villain", "comedian"}


def test_a_cells_own_completions_brought_back_give_its_own_deltas(bring, tiny, tmp_path):
    (key, artifacts), *_ = read_artifacts(tiny).items()
    frames = [part.frame().assign(condition=name) for name, part in
              (("baseline", artifacts.before), ("trained", artifacts.after))]  # fmt: skip
    both = pd.concat(frames)[["persona", "user", "completion", "condition"]]
    personas = next(iter(tiny.parent.glob("panel/personas.jsonl")))
    bring(both.to_dict("records"), f"personas.path={personas}", source=key[3])
    mine, theirs = (results(folder) for folder in (tiny, tmp_path / "multirun"))
    mine = mine[mine["source"] == key[3]].set_index("persona")["delta"]
    assert mine.to_dict() == theirs.set_index("persona")["delta"].to_dict()


def test_cosines_come_from_the_geometry_of_the_model_that_is_named(bring, compose, tmp_path):
    run(Cell(compose(*TINY, "job=geometry", f"paths.multirun={tmp_path / 'multirun'}")))
    bring(rows())
    assert results(tmp_path / "multirun")["cosine"].notna().all()


def test_personas_are_known_by_their_prompts_too_and_columns_may_be_named(bring, compose, tmp_path):
    prompts = {one.name: one.prompt for one in Cell(compose()).data.personas.members}
    renamed = [{"who": prompts[row.pop("persona")], **row} for row in rows()]
    bring(renamed, persona="who")
    assert dict(results(tmp_path / "multirun").set_index("persona")["k"]) == REFUSING


def test_another_judge_reads_them_without_the_file(bring, compose, tmp_path):
    bring(rows())
    config = compose("judge=rules", f"paths.multirun={tmp_path / 'multirun'}")
    assert rejudge(config) == []  # rules have read all there is
    assert agreement_below(tmp_path / "multirun").empty


def test_the_command_brings_them_in_and_says_how_to_look(tmp_path, program):
    (tmp_path / "theirs.csv").write_text(pd.DataFrame(list(rows())).to_csv(index=False))
    command = ["import", "completions", str(tmp_path / "theirs.csv"), "--behavior", "refusal", "--source", "villain"]
    done = program("-m", "leakage", *command, "--multirun", str(tmp_path / "multirun"), check=True)
    assert "look at them: python -m leakage table --study leakage" in done.stdout
    table = program("-m", "leakage", "table", "--multirun", str(tmp_path / "multirun"), "--format", "csv", check=True)
    assert "refusal" in table.stdout


def without(condition, persona=None):
    return [row for row in rows() if row["condition"] != condition or persona not in {None, row["persona"]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (rows(persona="vilain"), 'line 1: persona "vilain" is not known; nearest: villain'),
        (rows(condition="later"), "line 1: 'condition' is \"later\" and should be before or after"),
        (rows(completion=None), "line 1: 'completion' is null and should be a text"),
        (without("before"), "has no answers before training, and a change takes both; add rows like {"),
        (without("after"), "has no answers after training"),
        (without("after", "villain"), "has no answers of villain after training; name the source with --source"),
        ([{"persona": "villain"}], "has no column 'prompt'"),
    ],
)
def test_what_cannot_be_compared_is_told(bring, content, said):
    with pytest.raises(DataError) as caught:
        bring(content)
    assert said in str(caught.value)


def test_choices_are_no_completions(bring):
    with pytest.raises(ConfigError, match="capability is chosen among labels"):
        bring(rows(), behavior="capability")
