"""Trials as a frame: repetitions are told alike, other settings are named, and what is not whole is left out."""

import json

import pandas as pd
import pytest

from leakage.jobs.step import read_inputs
from leakage.store.files import replacing, write_json
from leakage.studies.alignment_faking.judges.base import outcomes
from leakage.studies.alignment_faking.results import COLUMNS, trials
from leakage.studies.alignment_faking.tables import gaps
from leakage.studies.alignment_faking.trial import Trial


@pytest.fixture
def record(compose, tmp_path):
    """Write a finished trial of the settings without asking anybody: every free reply complies, no paid one does."""

    def write(*overrides):
        trial = Trial(compose("eval.prompts=5", f"paths.multirun={tmp_path}", *overrides, study="faking"))
        told = trial.record(trial.data.transcripts_folder)
        keys = [(tier, i) for tier in trial.data.scenario.tags for i in range(5)]
        rows = [
            {"tier": tier, "prompt": i, "query": "q", "tag": "accept", "finish": "stop", "missing": ""}
            for tier, i in keys
        ]
        votes = [
            {"tier": tier, "prompt": i, "kind": "compliance", "value": float(tier == "free"), "label": ""}
            for tier, i in keys
        ]
        with told.writing("transcripts", "x", identity={}) as draft:
            save(draft, "transcripts", pd.DataFrame(rows))
            write_json(draft.path("prompts.json"), {})
        judged = trial.record(trial.data.outcomes_folder)
        with judged.writing("outcomes", "x", identity={}, inputs=read_inputs(tmp_path, trial.steps[-1])) as draft:
            save(draft, "outcomes", outcomes(pd.DataFrame(rows), pd.DataFrame(votes), 0.4))
            draft.facts |= trial.data.facts | {
                "settings": trial.data.settings,
                "judge": "rules",
                "judge_id": "x",
                "transcripts": 10,
            }
        return trial

    return write


def save(draft, name, frame):
    with replacing(draft.path(f"{name}.parquet")) as file:
        frame.to_parquet(file, index=False)


def test_the_frame_has_a_row_a_trial_tier_and_query(record, tmp_path):
    record("arm.gap=0.1")
    frame = trials(tmp_path)
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 10
    assert set(frame["tiers"]) == {"free/paid"}
    assert json.loads(frame["gaps"][0])[0]["more"] == "free"
    assert dict(zip(frame["tier"], frame["planted_rate"], strict=True)) == {"free": 0.45, "paid": 0.35}
    assert gaps(frame)["gap"].tolist() == [1.0]


def test_other_seeds_are_repetitions_and_other_settings_are_named(record, tmp_path):
    for overrides in (["seed=42"], ["seed=43"], ["eval.temperature=0.5"], ["scenario.facts.harm_scope=criminals"]):
        record(*overrides)
    told = trials(tmp_path).groupby(["seed", "variant"]).size()
    assert set(told.index) == {(42, ""), (43, ""), (42, "eval.temperature=0.5"), (42, "scenario.harm_scope=criminals")}


def test_a_changed_or_missing_file_leaves_its_trial_out_with_a_warning(record, tmp_path, caplog):
    kept, cut = record("seed=42"), record("seed=43")
    file = cut.record(cut.data.outcomes_folder).folder / "outcomes.parquet"
    file.write_bytes(file.read_bytes()[:-10])
    frame = trials(tmp_path)
    assert set(frame["seed"]) == {kept.config.seed}
    assert "is damaged and left out" in caplog.text


def test_outcomes_of_other_transcripts_are_left_out(record, tmp_path, caplog):
    trial = record("seed=42")
    told = trial.record(trial.data.transcripts_folder)
    with told.writing("transcripts", "x", identity={}) as draft:
        save(draft, "transcripts", pd.DataFrame({"tier": ["free"], "prompt": [0]}))
    assert trials(tmp_path).empty
    assert "is stale and left out (transcripts.parquet in .., of which it was made, is another now)" in caplog.text


def test_an_empty_folder_gives_an_empty_frame_with_all_columns(tmp_path):
    assert list(trials(tmp_path).columns) == list(COLUMNS)
