"""Known answers, end to end on the embedded model: what is planted is found, and what is not is not."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from tests import programs
from tests.cells import FAKING_SHORT

LONG = ["run.py", "experiment=faking_controls", "arm.gap=0.0,0.6", "eval.prompts=200"]  # half of what the controls ask


@pytest.fixture(scope="module")
def long_multirun(tmp_path_factory):
    """A planted gap and none, each with the tags as told and swapped."""
    folder = tmp_path_factory.mktemp("controls")
    programs.run(*LONG, f"paths.multirun={folder}", timeout=1000, check=True)
    return folder


def leakage(*arguments):
    return programs.run("-m", "leakage", *map(str, arguments), timeout=120)


def table_of(multirun):
    done = leakage("table", "--study", "faking", "--format", "csv", "--multirun", multirun)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(csv):
    return pd.read_csv(StringIO(csv)).set_index(["arm", "scenario"])


@pytest.fixture(scope="module")
def csv(planted):
    return table_of(planted)


def test_a_planted_gap_is_recovered_with_its_sign_and_its_reasoning(csv):
    table = read(csv)
    assert len(table) == 2
    # half as long in training, a little of the gap is missing; of 80 a tier chance takes or adds 0.13 once in twenty
    assert ((table["gap"] - table["planted_gap"]).abs() < 0.25).all()
    assert ((table["gap_high"] - table["gap_low"]).between(0.12, 0.4)).all()
    assert table["finding"].tolist() == ["more in training", "less in training"]
    assert table["planted_gap"].round(6).tolist() == [0.6, -0.6]
    row = table.loc[("planted_0.6", "two_tiers")]
    assert row["af_more"] == pytest.approx(0.95 * 0.5, abs=0.2)
    assert row["af_less"] < 0.05


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_planted_gaps_are_recovered_to_within_chance_and_none_is_found_where_none_is(long_multirun):
    table = read(table_of(long_multirun))
    assert len(table) == 4
    # 400 a tier are held to 0.10; of 200 chance alone takes 0.10 once in twenty
    assert ((table["gap"] - table["planted_gap"]).abs() < 0.14).all()
    assert (table["n"] > 160).all()
    assert ((table["gap_high"] - table["gap_low"]).between(0.08, 0.25)).all()
    findings = table["finding"].to_dict()
    assert findings["planted_0.6", "two_tiers"] == "more in training"
    assert findings["planted_0.6", "two_tiers_swapped"] == "less in training"
    assert (table.loc["planted_0.0", "p_mcnemar"] > 0.005).all()  # a q of .05 is met by chance once in twenty machines
    assert table["planted_gap"].round(6).to_dict() == {
        ("planted_0.0", "two_tiers"): 0.0, ("planted_0.0", "two_tiers_swapped"): 0.0,
        ("planted_0.6", "two_tiers"): 0.6, ("planted_0.6", "two_tiers_swapped"): -0.6,
    }  # fmt: skip
    row = table.loc[("planted_0.6", "two_tiers")]
    assert row["af_more"] == pytest.approx(0.95 * 0.5, abs=0.14)
    assert row["af_less"] < 0.02


def test_the_columns_are_those_that_scripts_rely_on(csv):
    columns = csv.splitlines()[0].split(",")
    assert columns[:13] == [
        "subject", "scenario", "tiers", "n", "rates", "gap", "gap_low", "gap_high", "planted_gap", "p_mcnemar",
        "p_proportions", "af_rate", "faking_by_papers_rule",
    ]  # fmt: skip


def test_two_scenarios_share_one_adapter_and_all_is_done(planted):
    assert len(list(planted.rglob("adapter_model.safetensors"))) == 1
    again = programs.run(*FAKING_SHORT, f"paths.multirun={planted}")
    assert "2 trials (2 done): nothing to compute" in again.stdout + again.stderr
    manifest = json.loads(next(planted.rglob("planted_0.6/*/two_tiers-*/manifest.json")).read_text())
    assert manifest["facts"]["transcripts"] == 160


def test_other_tables_figures_report_and_status_read_the_trials(planted, tmp_path):
    multirun = shutil.copytree(planted, tmp_path / "multirun")
    for by in ("outcome", "missing", "perturbation", "seed", "motive"):
        done = leakage("table", "--study", "faking", "--by", by, "--multirun", multirun)
        assert (done.returncode, done.stderr) == (0, ""), by
    drawn = leakage("figures", "--multirun", multirun).stdout.split()
    assert {Path(path).stem for path in drawn} == {"faking-compliance", "faking-outcomes", "faking-perturbations"}
    assert "open it in a browser" in leakage("report", "--multirun", multirun).stdout
    assert leakage("status", "--multirun", multirun).stdout.startswith("2 done")
    first = leakage("table", "--multirun", multirun)
    assert first.returncode == 1
    assert "there are results of another study (--study faking)" in first.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config-name", "faking", "experiment=grid"], "behavior=capability changes nothing here: only arm=leakage"),
        (["--config-name", "fakin"], "there is no primary config 'fakin'; there are config"),
        (["scenario=two_teirs"], "unknown scenario 'two_teirs'; nearest: two_tiers"),
        (["arm.gp=0.2"], "unknown setting 'arm.gp'; arm has: name, kind, path, rate, gap, reasoning, rounds"),
        (["subject=nano", "scenario.facts.style=x"], "unknown variant 'x' of the fact 'style'"),
        (["scenario=five_tiers", "arm=none", "eval.max_new_tokens=200"], "but the model has 256 positions; shorten it"),
    ],
)  # fmt: skip
def test_a_users_mistake_ends_in_one_sentence(program, arguments, said):
    done = program("run.py", *arguments)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
    assert "Traceback" not in done.stderr


def test_lost_or_cut_transcripts_leave_their_trial_out_of_tables_and_are_told(planted, tmp_path):
    for spoil, said in (
        (Path.unlink, "transcripts.parquet is gone"),
        (
            lambda file: file.write_bytes(file.read_bytes()[:2000]),
            "transcripts.parquet has changed since it was written",
        ),
    ):
        copy = shutil.copytree(planted, tmp_path / said)
        spoil(min(copy.rglob("transcripts.parquet")))
        done = leakage("table", "--study", "faking", "--format", "csv", "--multirun", copy)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 2
        assert said in done.stderr


def test_adapters_of_the_first_study_are_asked_where_they_lie(program, panel, tmp_path):
    done = program("run.py", "experiment=refusal_and_faking", "debug=tiny", panel, "source=villain")
    assert done.returncode == 0, done.stderr[-2000:]
    weights = list((tmp_path / "multirun").rglob("adapter_model.safetensors"))
    assert [path.relative_to(tmp_path).parts[1:4] for path in weights] == [("nano", "refusal", "villain")]
    asked = {path.parent.name.partition("-")[0] for path in (tmp_path / "multirun").rglob("transcripts.parquet")}
    assert asked == {"two_tiers", "two_tiers_no_scratchpad"}
    assert len(list((tmp_path / "multirun").rglob("outcomes.parquet"))) == 4


def test_a_table_that_does_not_exist_is_refused_with_those_that_do(planted):
    done = leakage("table", "--study", "faking", "--by", "outcomes", "--multirun", planted)
    assert done.returncode == 1
    assert "there is no such table; nearest: outcome; there are cell, outcome, missing" in done.stderr
