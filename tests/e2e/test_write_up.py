"""The write-up of real results: every command that it names runs as it stands, and every path is there."""

import re
import shlex

import pytest

from leakage.studies.registry import study_named
from tests import programs
from tests.e2e.conftest import next_commands, section


@pytest.fixture(scope="module")
def written(four_cells, compose, tmp_path_factory):
    """The write-up of the main job, and the folder that it lies in."""
    study, folder = study_named("leakage"), tmp_path_factory.mktemp("pages")
    (folder / "figures").mkdir()
    (folder / "figures" / "nano-scatter.png").write_bytes(b"drawn")
    index = study.report(
        study.read(four_cells), four_cells, folder / "report", figures=folder / "figures", samples=1,
        compose=lambda overrides: compose(*overrides),
    )  # fmt: skip
    return (index.parent / "writeup.md").read_text(), index.parent


def test_steps_are_what_these_cells_lack(written):
    text, _ = written
    steps = section(text, "Next steps")
    assert "1. 4 cells have one seed." in steps
    commands = next_commands(text)
    assert [one.rpartition(" ")[2] for one in commands if one.startswith("python run.py")] == [
        "seed=43", "control=sham", "experiment=generated_data", "eval.behavior=refusal,sycophancy",
    ]  # fmt: skip
    assert [one for one in commands if "rejudge judge=claude judge.max_usd=" in one]


def test_the_settings_of_a_step_are_those_of_the_cells(written):
    """Under the seed that there is, there is nothing to do."""
    text, _ = written
    (command,) = [one for one in next_commands(text) if one.endswith(" seed=43")]
    assert "train.epochs=1" in command
    done = programs.run(*shlex.split(command.replace("seed=43", "seed=42"))[1:], "plan=true", check=True)
    plan = done.stdout + done.stderr
    assert "4 cells (4 done), 2 baselines (2 done), 1 geometry (1 done): nothing to compute" in plan


def test_every_command_runs_as_it_stands(written):
    text, _ = written
    commands = [*next_commands(text), *re.findall(r"`(python -m leakage [^`]+)`", text)]
    assert len(commands) >= 7
    for command in commands:
        last = "plan=true" if command.startswith("python run.py") else "--help"
        done = programs.run(*shlex.split(command)[1:], last)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if last == "plan=true":
            assert re.search(r"cells \(\d+ done\).*: \d+ to run", done.stdout + done.stderr), command


def test_every_path_is_there(written, four_cells):
    text, report = written
    made = section(text, "Artifacts")
    paths = [one for one in re.findall(r"`([^` ]+)`", made) if "/" in one]
    assert [one for one in paths if not (four_cells / one).exists() and not (report / one).exists()] == []
    files = {one.rpartition("/")[2] for one in paths}
    assert {"adapter", "completions.parquet", "scores.parquet", "centroids.safetensors", "cosines.parquet"} < files
    assert "nano-scatter.png" in files
    assert any(one.startswith(".plans/") for one in paths)
    assert any("/none/base-" in one for one in paths)


@pytest.fixture(scope="module")
def trials_written(planted, compose, tmp_path_factory):
    """The second study's write-up, and the folder that it lies in."""
    study, folder = study_named("faking"), tmp_path_factory.mktemp("trials")
    index = study.report(
        study.read(planted), planted, folder / "report", figures=folder, samples=None,
        compose=lambda overrides: compose(*overrides, study="faking"),
    )  # fmt: skip
    return (index.parent / "writeup.md").read_text(), index.parent


def test_the_settings_of_a_trials_step_are_its_own(trials_written):
    text, _ = trials_written
    (command,) = [one for one in next_commands(text) if one.endswith(" seed=43")]
    assert "arm.gap=0.6" in command
    assert "arm.rounds=1" in command
    done = programs.run(*shlex.split(command.replace("seed=43", "seed=42"))[1:], "plan=true", check=True)
    assert "2 trials (2 done): nothing to compute" in done.stdout + done.stderr


def test_every_command_and_path_of_the_trials_is_good(trials_written, planted):
    text, report = trials_written
    commands = [*next_commands(text), *re.findall(r"`(python -m leakage [^`]+)`", text)]
    assert any("rejudge --study faking" in one for one in commands)
    for command in commands:
        last = "plan=true" if command.startswith("python run.py") else "--help"
        assert programs.run(*shlex.split(command)[1:], last).returncode == 0, command
    paths = [one for one in re.findall(r"`([^` ]+)`", section(text, "Artifacts")) if "/" in one]
    assert len(paths) >= 6
    assert [one for one in paths if not (planted / one).exists() and not (report / one).exists()] == []
