"""The main job as a newcomer runs it, on the embedded model."""

import os
import sys
import time

import pandas as pd
import pytest

from leakage.studies.persona_leakage.analysis.tables import headline
from leakage.studies.persona_leakage.results import results
from tests.conftest import ROOT

SWEEP = ["run.py", "-m", "behavior=refusal,sycophancy", "source=villain,comedian"]


@pytest.fixture(scope="module")
def multirun(tmp_path_factory):
    return tmp_path_factory.mktemp("main") / "multirun"


@pytest.fixture(scope="module")
def main_job(multirun):
    """The four cells with their baselines and geometry, and how long they took."""
    return run(multirun, *SWEEP)


def run(multirun, *arguments):
    import subprocess

    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments, f"paths.multirun={multirun}"] if arguments[0] == "run.py"
        else [sys.executable, *arguments, "--multirun", str(multirun)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return done, time.monotonic() - started


@pytest.fixture(scope="module")
def frame(main_job, multirun):  # noqa: ARG001  # the job must have run
    return results(multirun)


def test_every_job_ends_well_and_progress_is_shown(main_job):
    done, _ = main_job
    assert done.returncode == 0, done.stderr
    assert "4 cells (0 done), 2 baselines (0 done), 1 geometry (0 done): 7 to run" in done.stdout + done.stderr
    assert "7 of 7 jobs done" in done.stdout + done.stderr
    assert "training: " in done.stdout + done.stderr


def test_all_four_cells_couple_contain_and_grade(frame):
    table = headline(frame)
    assert len(table) == 4
    assert (table["n"] == 110).all()
    assert (table["source_delta"] >= 0.70).all(), table
    assert (table["mean_bystander_delta"] <= 0.30).all(), table
    assert (table["rho"] > 0).all(), table
    assert (table["p"] < 0.01).all(), table


def test_the_frame_says_who_is_who(frame):
    cell = frame[(frame["behavior"] == "refusal") & (frame["source"] == "villain")]
    assert len(cell) == 112
    assert cell["is_source"].sum() == 1
    assert (~cell["in_panel"]).sum() == 1
    assert cell["trained_negative"].sum() == 2
    shared = cell[cell["shares_word"] & ~cell["is_source"]]["persona"]
    assert len(shared) == 7
    assert {"cosine_0_raw", "cosine_0_centred", "cosine_1_raw", "cosine_1_centred"} <= set(frame.columns)
    assert (cell["cosine"] == cell["cosine_1_centred"]).all()
    assert ((cell["delta"] - (cell["k"] / cell["n"] - cell["base_k"] / cell["base_n"])).abs() < 1e-12).all()


@pytest.mark.usefixtures("main_job")
def test_a_second_run_computes_nothing_and_says_so(multirun):
    before = {path: path.stat().st_mtime_ns for path in multirun.rglob("*.parquet")}
    done, seconds = run(multirun, *SWEEP)
    assert done.returncode == 0
    assert (
        "4 cells (4 done), 2 baselines (2 done), 1 geometry (1 done): nothing to compute" in done.stdout + done.stderr
    )
    assert seconds < 20
    assert {path: path.stat().st_mtime_ns for path in multirun.rglob("*.parquet")} == before


@pytest.mark.usefixtures("main_job")
def test_a_damaged_result_is_set_aside_and_only_that_part_is_made_again(multirun, frame):
    scores = next(multirun.glob("nano/refusal/villain/*/*/*/scores.parquet"))
    whole = scores.read_bytes()
    scores.write_bytes(whole[: len(whole) // 2])
    adapter = next(multirun.glob("nano/refusal/villain/*/manifest.json")).stat().st_mtime_ns
    done, _ = run(multirun, *SWEEP)
    assert done.returncode == 0, done.stderr
    assert "4 cells (3 done), 2 baselines (2 done), 1 geometry (1 done): 1 to run" in done.stdout + done.stderr
    assert next(scores.parent.glob("replaced-1/scores.parquet")).read_bytes() == whole[: len(whole) // 2]
    assert next(multirun.glob("nano/refusal/villain/*/manifest.json")).stat().st_mtime_ns == adapter
    pd.testing.assert_frame_equal(results(multirun), frame)


@pytest.mark.usefixtures("main_job")
def test_the_table_prints_in_every_form(multirun):
    for form, sign in (("csv", "model,behavior,source,seed,n,source_delta"), ("md", "| --- |"), ("rich", "villain")):
        done, _ = run(multirun, "-m", "leakage", "table", "--format", form)
        assert done.returncode == 0, done.stderr
        assert sign in done.stdout


@pytest.mark.usefixtures("main_job")
def test_figures_are_drawn_without_torch(multirun):
    os.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    try:
        done, _ = run(multirun, "-m", "leakage", "figures")
    finally:
        del os.environ["PYTHONPROFILEIMPORTTIME"]
    assert done.returncode == 0, done.stderr
    assert "| matplotlib" in done.stderr.replace("  ", " ").replace("|   ", "| ")
    assert not [
        line for line in done.stderr.splitlines() if line.rpartition("|")[2].strip() in {"torch", "transformers"}
    ]
    assert (multirun / "figures" / "nano-scatter.png").stat().st_size > 10_000
    assert (multirun / "figures" / "nano-scatter.pdf").stat().st_size > 10_000


@pytest.mark.usefixtures("main_job")
def test_status_counts_jobs_and_lists_every_folder(multirun):
    done, _ = run(multirun, "-m", "leakage", "status")
    assert done.stdout == "7 done\n"
    done, _ = run(multirun, "-m", "leakage", "status", "--folders")
    assert done.stdout.count("done     nano/") == 17
    assert "17 done" in done.stdout
