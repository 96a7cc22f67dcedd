"""A sweep on a cluster: done, one GPU a cell, the very bytes of a local run; and held to its plan."""

import json
import shutil
import subprocess
import sys

import pytest

from leakage.studies.persona_leakage.results import results
from tests.cells import FOUR_CELLS, SHORT, few_personas
from tests.conftest import ROOT
from tests.slurm.cluster import Cluster
from tests.slurm.processes import until
from tests.slurm.sweeps import CELL, LAUNCHER
from tests.survival.helpers import same_frame, tables

pytestmark = pytest.mark.timeout(900)


def run(cluster, *arguments, cwd=ROOT):
    command = [sys.executable, "run.py", *arguments]
    environment = cluster.environment() | {"PYTHONPATH": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=800, check=False)


def test_two_cells_on_a_cluster_are_bit_for_bit_those_on_this_machine(cluster, short, panel, tmp_path):
    done = run(cluster, "-m", *SHORT, panel, "source=villain,comedian", *LAUNCHER, f"paths.multirun={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 jobs done" in done.stdout + done.stderr
    assert_same_and_apart(cluster, tmp_path, short, jobs=4)


@pytest.mark.long
def test_the_main_job_on_a_cluster_is_bit_for_bit_that_on_this_machine(cluster, four_cells, panel, tmp_path):
    done = run(cluster, *FOUR_CELLS[1:], panel, *LAUNCHER, f"paths.multirun={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 of 7 jobs done" in done.stdout + done.stderr
    assert len(tables(four_cells)) == 30  # five a cell, four a baseline, two of the geometry
    assert_same_and_apart(cluster, tmp_path, four_cells, jobs=7)


def assert_same_and_apart(cluster, there, here, *, jobs):
    """The same results, and each job on a GPU of its own."""
    assert tables(there) == tables(here)
    assert same_frame(results(there), results(here))
    made = [json.loads(path.read_text())["provenance"] for path in there.rglob("manifest.json")]
    by_job = {one["job"]: one["gpus"] for one in made}
    assert len(by_job) == jobs
    assert all(gpu.isdigit() for gpu in by_job.values())  # one, out of eight a node
    placed = [(record.node, by_job[record.id]) for record in cluster.accounting(*by_job)]
    assert len(set(placed)) == jobs  # all ran at once, none on another's


@pytest.mark.long
@pytest.mark.usefixtures("cluster")  # skips where there is no SLURM
def test_more_jobs_than_an_array_may_have_go_in_several(tmp_path):
    cluster = Cluster(tmp_path / "small", max_array_size=3)
    cluster.up()
    try:
        cells = ["-m", *LAUNCHER, *CELL, few_personas(tmp_path), "source=villain,comedian,assistant"]
        done = run(cluster, *cells, f"paths.multirun={tmp_path / 'm'}")
    finally:
        cluster.down()
    assert done.returncode == 0, done.stdout + done.stderr
    (noted,) = (tmp_path / "m" / ".plans" / "submitted").glob("*.jsonl")
    assert [len(json.loads(line)["jobs"]) for line in noted.read_text().splitlines()] == [3, 2]


@pytest.fixture
def copy(tmp_path):
    """A checkout of one's own, whose files a test may edit."""
    for name in ("conf", "leakage", "hydra_plugins"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    shutil.copy(ROOT / "run.py", tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.long
def test_a_config_file_edited_while_the_cell_was_queued_is_refused(cluster, copy, tmp_path):
    cell = [*LAUNCHER, *CELL, few_personas(tmp_path), "source=villain", f"paths.multirun={tmp_path / 'm'}"]
    held = ["-m", *cell, "+hydra.launcher.additional_parameters.hold=true"]
    process = subprocess.Popen(
        [sys.executable, "run.py", *held], cwd=copy, env=cluster.environment() | {"PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    noted = tmp_path / "m" / ".plans" / "submitted"
    until(lambda: list(noted.glob("*.jsonl")), "the jobs are submitted", seconds=60)
    published = copy / "conf" / "train" / "published.yaml"
    published.write_text(published.read_text().replace("epochs: 3", "epochs: 4"))
    (submitted,) = noted.glob("*.jsonl")
    cluster.run("scontrol", "release", next(iter(json.loads(submitted.read_text())["jobs"])).partition("_")[0])
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1, said
    assert "2 of 3 jobs done" in said  # the baseline and the geometry know no epochs
    assert "is not what was planned: train.epochs was 3 and is 4; a config or data file was edited" in said
    assert not list((tmp_path / "m").rglob("adapter*"))
    again = run(cluster, "-m", *cell, cwd=copy)  # planned anew, it is what the file now says
    assert again.returncode == 0, again.stdout + again.stderr
