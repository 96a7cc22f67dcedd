"""The main job as a newcomer runs it, on the embedded model."""

import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from leakage.studies.persona_leakage import STUDY
from leakage.studies.persona_leakage.analysis.tables import headline
from leakage.studies.persona_leakage.figures.gallery import drawings
from leakage.studies.persona_leakage.results import results
from tests import programs
from tests.cells import FOUR_CELLS, MAIN_JOB


@pytest.fixture(scope="module")
def multirun(four_cells, tmp_path_factory):
    """The four cells of few personas with their baselines and geometry."""
    return shutil.copytree(four_cells, tmp_path_factory.mktemp("main") / "multirun")


def run(multirun, *arguments, **options):
    where = [f"paths.multirun={multirun}"] if arguments[0] == "run.py" else ["--multirun", str(multirun)]
    started = time.monotonic()
    return programs.run(*arguments, *where, timeout=600, **options), time.monotonic() - started


@pytest.fixture(scope="module")
def frame(multirun):
    return results(multirun)


def test_the_four_cells_on_few_personas_couple_and_contain(frame):
    table = headline(frame)
    assert len(table) == 4
    assert (table["n"] == 22).all()
    assert (table["source_delta"] >= 0.70).all(), table
    assert (table["mean_bystander_delta"] <= 0.30).all(), table


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_job_ends_well_progress_is_shown_and_all_four_cells_couple_contain_and_grade(tmp_path):
    done, _ = run(tmp_path, *MAIN_JOB)
    assert done.returncode == 0, done.stderr
    assert "4 cells (0 done), 2 baselines (0 done), 1 geometry (0 done): 7 to run" in done.stdout + done.stderr
    assert "7 of 7 jobs done" in done.stdout + done.stderr
    assert "training: " in done.stdout + done.stderr
    frame = results(tmp_path)
    table = headline(frame)
    assert len(table) == 4
    assert (table["n"] == 110).all()
    assert (table["source_delta"] >= 0.70).all(), table
    assert (table["mean_bystander_delta"] <= 0.30).all(), table
    assert (table["rho"] > 0).all(), table
    assert (table["p"] < 0.01).all(), table
    cell = frame[(frame["behavior"] == "refusal") & (frame["source"] == "villain")]
    assert len(cell) == 112
    assert (~cell["in_panel"]).sum() == 1
    assert len(cell[cell["shares_word"] & ~cell["is_source"]]) == 7
    assert_says_who_is_who(cell)


def test_the_frame_says_who_is_who(frame):
    cell = frame[(frame["behavior"] == "refusal") & (frame["source"] == "villain")]
    assert len(cell) == 23
    assert_says_who_is_who(cell)


def assert_says_who_is_who(cell):
    assert cell["is_source"].sum() == 1
    assert cell["trained_negative"].sum() == 2
    assert {"cosine_0_raw", "cosine_0_centred", "cosine_1_raw", "cosine_1_centred"} <= set(cell.columns)
    assert (cell["cosine"] == cell["cosine_1_centred"]).all()
    assert ((cell["delta"] - (cell["k"] / cell["n"] - cell["base_k"] / cell["base_n"])).abs() < 1e-12).all()


def test_a_second_run_computes_nothing_and_says_so(multirun, panel):
    before = {path: path.stat().st_mtime_ns for path in multirun.rglob("*.parquet")}
    done, seconds = run(multirun, *FOUR_CELLS, panel)
    assert done.returncode == 0
    assert (
        "4 cells (4 done), 2 baselines (2 done), 1 geometry (1 done): nothing to compute" in done.stdout + done.stderr
    )
    assert seconds < 20
    assert {path: path.stat().st_mtime_ns for path in multirun.rglob("*.parquet")} == before


def test_a_damaged_result_is_set_aside_and_only_that_part_is_made_again(multirun, frame, panel):
    scores = next(multirun.glob("nano/refusal/villain/*/*/*/scores.parquet"))
    whole = scores.read_bytes()
    scores.write_bytes(whole[: len(whole) // 2])
    adapter = next(multirun.glob("nano/refusal/villain/*/manifest.json")).stat().st_mtime_ns
    done, _ = run(multirun, *FOUR_CELLS, panel)
    assert done.returncode == 0, done.stderr
    assert "4 cells (3 done), 2 baselines (2 done), 1 geometry (1 done): 1 to run" in done.stdout + done.stderr
    assert next(scores.parent.glob("replaced-1/scores.parquet")).read_bytes() == whole[: len(whole) // 2]
    assert next(multirun.glob("nano/refusal/villain/*/manifest.json")).stat().st_mtime_ns == adapter
    pd.testing.assert_frame_equal(results(multirun), frame)


def test_the_table_prints_in_every_form(multirun):
    for form, sign in (("csv", "model,behavior,source,seed,n,source_delta"), ("md", "| --- |"), ("rich", "villain")):
        done, _ = run(multirun, "-m", "leakage", "table", "--format", form)
        assert done.returncode == 0, done.stderr
        assert sign in done.stdout


def test_a_csv_of_the_results_gives_every_table_and_figure_again(frame, tmp_path):
    frame.to_csv(tmp_path / "own.csv", index=False)
    again = STUDY.points(tmp_path / "own.csv")
    for name, view in STUDY.views.items():
        pd.testing.assert_frame_equal(view.make(again), view.make(frame), check_dtype=False, obj=name)
    first, second = drawings(frame), drawings(again)
    assert list(first) == list(second)
    pixels = [np.asarray(_drawn(one["nano-rho"]())) for one in (first, second)]
    assert np.array_equal(*pixels)


def _drawn(figure):
    """What a reader sees of it."""
    figure.canvas.draw()
    return figure.canvas.buffer_rgba()


def test_figures_are_drawn_without_torch(multirun, tmp_path):
    """Of one of the cells, for its share of the time."""
    alone = shutil.copytree(multirun, tmp_path / "alone", ignore=shutil.ignore_patterns("comedian", "sycophancy"))
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done, _ = run(alone, "-m", "leakage", "figures", env=environment, cold=True)
    assert done.returncode == 0, done.stderr
    assert "| matplotlib" in done.stderr.replace("  ", " ").replace("|   ", "| ")
    assert not [
        line for line in done.stderr.splitlines() if line.rpartition("|")[2].strip() in {"torch", "transformers"}
    ]
    assert (alone / "figures" / "nano-scatter.png").stat().st_size > 10_000
    assert (alone / "figures" / "nano-scatter.pdf").stat().st_size > 10_000


def test_status_counts_jobs_and_lists_every_folder(multirun):
    done, _ = run(multirun, "-m", "leakage", "status")
    assert done.stdout == "7 done\n"
    done, _ = run(multirun, "-m", "leakage", "status", "--folders")
    assert done.stdout.count("done     nano/") == 17
    assert "17 done" in done.stdout
