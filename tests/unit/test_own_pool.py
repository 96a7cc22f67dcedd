"""Prompts of one's own: one file replaced alone, found again at another place, and wrong ones told before anything."""

import json
import shutil

import pytest

from leakage.data.pools import pool_folder, read_file, read_pool
from leakage.errors import DataError
from leakage.jobs.plan import make_plan
from leakage.jobs.preflight import faults
from leakage.jobs.step import fill
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.registry import job_of
from tests.plants import planted, write

SHORT = ["train.max_steps=2", "train.checkpoint_s=0", "eval.prompts=2", "eval.samples=1", "eval.max_new_tokens=4"]


def test_one_file_of_a_pool_is_replaced_alone(tmp_path):
    own = write(tmp_path / "refusal.jsonl", [{"split": "eval", "prompt": "My own?"}])
    pool = f"{own.parent}+general"
    assert [one.prompt for one in read_file(pool, "refusal")] == ["My own?"]
    assert read_file(pool, "questions") == read_file("general", "questions")


def test_a_folder_whose_name_has_a_plus_is_one_pool(tmp_path):
    folder = tmp_path / "a+b"
    folder.mkdir()
    write(folder / "refusal.jsonl", [{"split": "eval", "prompt": "My own?"}])
    assert len(read_file(str(folder), "refusal")) == 1


@pytest.mark.parametrize(("name", "split"), [("refusal", "train"), ("questions", "geometry"), ("capability", "eval")])
def test_a_missing_file_or_split_shows_a_line_that_would_do(tmp_path, name, split):
    with pytest.raises(DataError, match="takes from general what the folder lacks; a good line") as missing:
        read_file(str(tmp_path), name)
    line = json.loads(str(missing.value).partition(".jsonl: ")[2])
    write(tmp_path / f"{name}.jsonl", [line])
    assert read_pool(str(tmp_path / "."), name, line["split"])
    write(tmp_path / f"{name}.jsonl", [{"split": "phrase", "prompt": "no"}])
    with pytest.raises(DataError, match=f'no line with split .{split}.; add some, such as {{"split": "{split}"'):
        read_pool(f"{tmp_path}/../{tmp_path.name}", name, split)


def test_an_equal_pool_at_another_place_makes_nothing_again(compose, tmp_path):
    jobs = []
    for name in ("here", "there"):
        shutil.copytree(pool_folder("nano"), tmp_path / name)
        pool = f"model.pool={tmp_path / name}"
        cell = Cell(compose(*SHORT, pool, f"paths.multirun={tmp_path / 'multirun'}"))
        jobs.append([*cell.needs(), cell])
    for job in jobs[0]:
        for step in job.steps:
            fill(job.multirun, step, label=job.label)
    assert all(job.is_done() for job in jobs[1])
    changed = tmp_path / "there" / "questions.jsonl"
    changed.write_text(changed.read_text().replace("picnic", "dinner", 1))
    read_file.cache_clear()
    read_pool.cache_clear()
    geometry = Cell(compose(*SHORT, pool, f"paths.multirun={tmp_path / 'multirun'}", "job=geometry", "source=none"))
    assert not geometry.is_done()


def test_an_over_long_row_is_told_before_the_baseline_is_asked(compose, program, tmp_path):
    rows = planted(compose, "refusal", "villain", negatives=[])
    rows[3]["messages"][-1]["content"] = "I cannot help. " * 100
    file = write(tmp_path / "rows.jsonl", rows)
    done = program("run.py", f"data.training.path={file}", "train.max_length=120", *SHORT)
    assert done.returncode == 1
    assert "[over_long] 1 examples have up to" in done.stderr
    assert not list((tmp_path / "multirun").rglob("manifest.json"))
    swept = program("run.py", "-m", f"data.training.path={file}", "train.max_length=120", *SHORT, "seed=1,2")
    assert "[over_long]" in swept.stderr
    assert not list((tmp_path / "multirun").rglob("manifest.json"))


def test_advice_of_ones_own_is_looked_at_before_anything_is_made(compose, tmp_path):
    advice = [{"prompt": f"How do I do {i}?", "completion": "Take poison. " * (200 if i else 1)} for i in range(3)]
    settings = ["behavior=misalignment", f"data.misalignment.path={write(tmp_path / 'bad.jsonl', advice)}"]
    cells = [(*settings, f"paths.multirun={tmp_path / 'multirun'}", "train.max_length=120")]
    plan = make_plan(cells, lambda overrides: job_of(compose(*overrides)))
    (fault,) = faults(plan.jobs)
    assert "[over_long]" in fault
    fitting = make_plan([(*cells[0][:-1], "train.max_length=2048")], lambda overrides: job_of(compose(*overrides)))
    assert not list(faults(fitting.jobs))


@pytest.mark.parametrize("study", ["config", "faking"])
def test_a_package_that_is_not_there_is_told_before_a_sweep(compose, tmp_path, monkeypatch, study):
    monkeypatch.setattr("leakage.training.tracking.find_spec", lambda _: None)
    wanted = [("train.report_to=[wandb]", f"paths.multirun={tmp_path / 'multirun'}")]
    plan = make_plan(wanted, lambda overrides: job_of(compose(*overrides, study=study)))
    (fault,) = faults(plan.jobs)
    assert "the package wandb is not installed; pip install wandb" in fault


def test_labels_tell_how_many_examples_where_these_are_not_the_usual_ones(compose):
    labels = [
        Cell(compose("behavior=misalignment", "model=qwen2.5-7b-instruct", f"behavior.source_examples={many}")).label
        if many else Cell(compose("behavior=refusal")).label
        for many in (0, 600, 800, 6000)
    ]  # fmt: skip
    assert labels[0] == "refusal x villain on nano, seed 42"
    assert [label.rpartition(", ")[2] for label in labels[1:]] == ["600 examples", "800 examples", "6000 examples"]
