"""plan=true shows and runs nothing; what comes twice is done once."""

import pytest


@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_a_plan_names_every_job_and_runs_none(program, tmp_path, mode):
    done = program("run.py", *mode, "plan=true")
    said = done.stdout + done.stderr
    assert done.returncode == 0
    assert "1 cell (0 done), 1 baseline (0 done), 1 geometry (0 done): 3 to run" in said
    for job in ("geometry of nano", "baseline of refusal on nano", "refusal x villain on nano, seed 42"):
        assert f"to do  {job}" in said
    assert not list((tmp_path / "multirun").rglob("*.parquet"))
    assert not list((tmp_path / "multirun").rglob("manifest.json"))


@pytest.mark.parametrize(
    "arguments", [["-m", "seed=1", "source=villain,hero"], ["seed=1", "-m", "source=villain,hero"]]
)
def test_the_sweep_flag_may_stand_anywhere(program, arguments):
    done = program("run.py", *arguments, "plan=true")
    assert "2 cells (0 done)" in done.stdout + done.stderr


def test_a_cell_given_twice_is_one_cell(program):
    done = program("run.py", "-m", "plan=true", "source=villain,villain", "seed=42,42")
    assert "1 cell (0 done)" in done.stdout + done.stderr


def test_geometry_alone_needs_nothing_else(program):
    done = program("run.py", "-m", "plan=true", "job=geometry", "model.layers=[1],[0,1]")
    assert "2 geometries (0 done): 2 to run" in done.stdout + done.stderr


def test_baselines_and_geometry_are_shared(program):
    done = program("run.py", "-m", "plan=true", "source=glob(*_villain)", "seed=1,2", "behavior=refusal,sycophancy")
    assert "24 cells (0 done), 2 baselines (0 done), 1 geometry (0 done): 27 to run" in done.stdout + done.stderr
