"""The settings of a site: written once, and from then on the bare command means that site."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.unit.programs import put_in_path

PARTS = ("conf", "leakage", "hydra_plugins")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A copy of the project without settings of a site; no test writes to the project itself."""
    folder = tmp_path_factory.mktemp("project")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "local"))
    for file in ("run.py", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    return folder


@pytest.fixture
def project(original):
    """The copy, in which the test's settings of a site do not stay."""
    yield original
    shutil.rmtree(original / "conf" / "local", ignore_errors=True)


def python(project, *arguments):
    """What a program of the copy says."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=project, env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def site(project, *arguments):
    return python(project, "-m", "leakage", "site", *arguments)


def composed(project, *overrides, package="job"):
    """The config as `run.py` composes it; "all": with Hydra's own part of it."""
    from omegaconf import OmegaConf

    done = python(project, "run.py", "--cfg", package, *overrides)
    assert done.returncode == 0, done.stderr
    return OmegaConf.create(done.stdout)


def launcher(project, *overrides):
    found = composed(project, *overrides, package="all").hydra
    return found.launcher, found.runtime.choices["hydra/launcher"]


def test_afterwards_the_bare_command_means_the_site_and_the_command_line_still_wins(project):
    assert composed(project).model.name == "nano"
    done = site(
        project, "slurm_h200", "--partition", "p", "--account", "a", "--minutes", "90", "--setup", "module load x"
    )
    assert done.returncode == 0, done.stderr
    file = project / "conf" / "local" / "default.yaml"
    assert done.stdout.startswith(file.read_text())
    assert f"written to {file}; " in done.stdout

    job = composed(project)
    assert job.model.name == "qwen2.5-7b-instruct"
    told = {"partition": "p", "account": "a", "minutes": 90, "cpus": 8, "memory_gb": 64, "setup": ["module load x"]}
    assert job.site == told
    slurm, choice = launcher(project)
    assert (choice, slurm.partition, slurm.account, slurm.timeout_min) == ("slurm_h200", "p", "a", 90)
    assert (slurm.cpus_per_task, slurm.mem_gb, slurm.gpus_per_node, slurm.setup) == (8, 64, 1, ["module load x"])

    here = ("model=nano", "hydra/launcher=basic")
    nano = composed(project, *here, "behavior=capability")
    assert nano.model.name == "nano"
    shutil.move(project / "conf" / "local", project / "aside")
    assert nano.train == composed(project, "behavior=capability").train  # what it needs on this model, too
    shutil.move(project / "aside", project / "conf" / "local")
    assert launcher(project, *here)[1] == "basic"
    assert launcher(project, "site.partition=q")[0].partition == "q"


def test_a_second_time_the_file_is_kept(project):
    assert site(project, "slurm_h200", "--partition", "p").returncode == 0
    file = project / "conf" / "local" / "default.yaml"
    file.write_text(file.read_text() + "# mine\n")
    before = file.read_bytes()
    again = site(project, "slurm_h200", "--partition", "other")
    assert again.returncode == 1
    assert again.stderr == f"error: {file} is there already; edit it, or move it away and start again\n"
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["slurm_a100"], "error: no site 'slurm_a100'; give SITE=slurm_h200\n"),
        (["slurm_h200", "--model", "qwen2.5-7b"],
         "error: unknown model 'qwen2.5-7b'; nearest: qwen2.5-7b-instruct, "),
    ],
)  # fmt: skip
def test_an_unknown_site_or_model_is_one_sentence_and_writes_nothing(project, arguments, said):
    done = site(project, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert not (project / "conf" / "local").exists()


def test_what_was_not_given_is_left_to_the_cluster(project, tmp_path, monkeypatch):
    """SLURM marks its default partition with a star; make gives an empty text for what the user did not say."""
    put_in_path(tmp_path / "bin", monkeypatch, "sinfo", "printf 'debug\\ngpu*\\nlong\\n'")
    empty = ("--partition", "", "--account", "", "--model", "", "--setup", "")
    assert site(project, "slurm_h200", *empty, "--memory-gb", "0").returncode == 0
    job = composed(project)
    assert job.model.name == "qwen2.5-7b-instruct"
    assert (job.site.partition, job.site.account, job.site.memory_gb, job.site.setup) == ("gpu", None, None, [])
    slurm, _ = launcher(project)
    assert (slurm.partition, slurm.account, slurm.mem_gb) == ("gpu", None, None)


def test_where_no_slurm_answers_no_partition_is_made_up(project, tmp_path, monkeypatch):
    put_in_path(tmp_path / "bin", monkeypatch, "sinfo", "exit 1")
    done = site(project, "slurm_h200", "--model", "nano")
    assert done.returncode == 0, done.stderr
    job = composed(project)
    assert (job.site.partition, job.model.name) == (None, "nano")


def test_names_and_shell_lines_may_hold_what_yaml_takes_for_its_own(project):
    setup = "export A=\"x: #1\" && echo '{b}' # ü"
    assert site(project, "slurm_h200", "--partition", "123", "--account", "no", "--setup", setup).returncode == 0
    job = composed(project)
    assert (job.site.partition, job.site.account, job.site.setup) == ("123", "no", [setup])
