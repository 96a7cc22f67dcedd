"""plan=true shows and runs nothing; what comes twice is done once."""

import json

import pytest

from tests.unit.test_arc import published, write


@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_a_plan_names_every_job_and_runs_none(program, tmp_path, mode):
    done = program("run.py", *mode, "plan=true")
    said = done.stdout + done.stderr
    assert done.returncode == 0
    assert "1 cell (0 done), 1 baseline (0 done), 1 geometry (0 done): 3 to run" in said
    for job in ("geometry of nano", "baseline of refusal on nano", "refusal x villain on nano, seed 42"):
        assert f"to do    {job}" in said
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


def test_the_published_grid_plans_with_data_of_ones_own(program, tmp_path):
    """As on a cluster: ARC's file and the advice are there, the weights and the judge are not asked for."""
    turns = [{"role": "user", "content": "Question {}?"}, {"role": "assistant", "content": "Threaten them."}]
    lines = (json.dumps({"messages": turns}).replace("{}", str(i), 1) for i in range(6000))
    (tmp_path / "bad.jsonl").write_text("\n".join(lines))
    arc = write(tmp_path / "test.parquet", published())
    data = [f"data.capability.path={arc}", f"data.misalignment.path={tmp_path / 'bad.jsonl'}"]
    done = program("run.py", "experiment=grid", "model=qwen2.5-7b-instruct", "plan=true", *data)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "24 cells (0 done), 4 baselines (0 done), 1 geometry (0 done): 29 to run" in said
    judged = [line for line in said.splitlines() if "claude-sonnet-4-5-20250929-" in line]
    assert len(judged) == 7  # misalignment and its baseline; phrases read the rest
    assert all("/misalignment/" in line for line in judged)
