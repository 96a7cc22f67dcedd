"""A folder with results of both studies: one notion of done, and commands that know each study by its registry."""

import shutil

import pytest

from leakage.jobs.plan import Plan, PlanJob
from leakage.studies.registry import job_of, studies

CELL = ["debug=tiny", "lora.r=1", "source=villain"]


def said(done):
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_another_headline_makes_scores_stale_in_the_plan_and_they_alone_are_made_again(older, program):
    multirun, personas = older
    sweep = ["run.py", "-m", *CELL, personas, "model.headline.layer=0"]
    plan = said(program(*sweep, "plan=true"))
    assert "1 cell (0 done), 1 baseline (0 done), 1 geometry (1 done): 2 to run" in plan
    assert [line.split()[0] for line in plan.splitlines() if " nano/" in line] == ["done", "stale", "stale"]
    completions = {path: path.stat().st_mtime_ns for path in multirun.rglob("completions.parquet")}
    assert "2 of 2 jobs done" in said(program(*sweep))
    assert {path: path.stat().st_mtime_ns for path in multirun.rglob("completions.parquet")} == completions
    assert list(multirun.glob("nano/refusal/villain/*/*/*/replaced-1/scores.parquet"))
    assert "1 cell (1 done), 1 baseline (1 done), 1 geometry (1 done): nothing to compute" in said(program(*sweep))


def test_status_tells_what_the_last_plan_finds_stale(older, program, compose):
    multirun, personas = older
    job = job_of(compose(*CELL, personas, "model.headline.layer=0", f"paths.multirun={multirun}"))
    Plan((PlanJob((), job, done=False, asked=True),)).keep()
    text = said(program("-m", "leakage", "status", "--multirun", str(multirun)))
    assert "its headline was 1_centred and is 0_centred now" in text
    assert "1 stale" in text


def test_each_study_has_a_report_of_its_own_whatever_folder_is_named(older, program, tmp_path):
    multirun, _ = older
    out = tmp_path / "pages"
    text = said(program("-m", "leakage", "report", "--multirun", str(multirun), "--out", str(out), "--samples", "1"))
    assert text.count("open it in a browser") == 2
    assert "villain" in (out / "index.html").read_text()
    assert "two_tiers" in (tmp_path / "pages-faking" / "index.html").read_text()
    assert "--samples=1: a query is asked once a tier" in text


def test_rejudge_reads_what_either_study_has_and_says_what_is_missing(older, program):
    multirun, _ = older
    where = ["--multirun", str(multirun)]
    again = said(program("-m", "leakage", "rejudge", "judge=rules", *where))
    assert "nothing to judge: this judge has read all there is" in again
    for path in multirun.glob("nano/faking/*/*/*/rules-*/manifest.json"):
        path.unlink()
    trials = said(program("-m", "leakage", "rejudge", "--study", "faking", "judge.name=rules", *where))
    assert "1 sets of answers judged" in trials
    assert len(studies()[1].read(multirun)) == 4
    none = program("-m", "leakage", "agreement", *where)
    assert none.returncode == 1
    assert "no answers have been read by two judges; add one: python -m leakage rejudge --study " in none.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--config-name", "faking", "-m", "source=villain,comedian", "behavior=refusal,sycophancy"],
            "source=villain changes nothing here: only arm=leakage",
        ),
        (["--config-name", "faking", "source=villain"], "source=villain changes nothing here: only arm=leakage"),
        (["scenario=two_tiers", "behavior.anchors=3"], "behavior.anchors=3 changes nothing here: only arm=leakage"),
        (["-m", "model.headline.layer=0", "device=cpu,auto"], "device=cpu and device=auto are the same job"),
        (["-m", "behavior=capability", "eval.samples=1,2"], "eval.samples=1 and eval.samples=2 are the same job"),
        (["-m", "seed=1,2", "source=none"], "seed=1 and seed=2 are the same job"),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(program, arguments, sentence):
    done = program("run.py", *arguments)
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert sentence in line


def test_a_setting_that_one_job_of_a_sweep_makes_use_of_is_no_mistake(program):
    plan = said(program("run.py", "experiment=refusal_and_faking", "plan=true"))
    assert "6 trials (0 done): 6 to run" in plan


def test_a_run_that_failed_before_it_began_is_told_of_the_job_that_was_asked_for(program, tmp_path):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU, so asking for one is no mistake")
    assert program("run.py", "debug=tiny", "device=cuda").returncode == 1
    text = said(program("-m", "leakage", "status", "--multirun", str(tmp_path / "multirun")))
    (line,) = (line for line in text.splitlines() if "refusal x villain" in line)
    assert line.startswith("failed")
    assert "it was not begun, as geometry of nano failed" in line
