"""The private SLURM is a SLURM: GPUs, requeueing, preemption, accounting, nodes that fail."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.slurm import configuration
from tests.slurm.cluster import Cluster, ClusterError, Record, how_to_install, missing_programs
from tests.slurm.processes import kill_all, of_cluster, until

Submit = Callable[..., str]

UNTIL_CANCELLED = "sleep 300"
ONLY_THE_FIRST_TIME = '[ "$SLURM_RESTART_COUNT" ] || sleep 300'


@pytest.fixture
def submit(cluster: Cluster) -> Iterator[Submit]:
    """Submit a shell command and return the job's id; what a test leaves behind is cancelled."""
    submitted: list[str] = []

    def submit(command: str, *options: str) -> str:
        job = cluster.run("sbatch", "--parsable", "--output=/dev/null", *options, "--wrap", command).strip()
        submitted.append(job)
        return job

    yield submit
    if submitted:
        cluster.run("scancel", "--quiet", *submitted)
        until(lambda: not cluster.jobs(), "the jobs of the test are gone")


def active(cluster: Cluster) -> dict[str, str]:
    return {job.id: job.state for job in cluster.jobs()}


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie, which would have no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def ended(cluster: Cluster, job: str, *states: str) -> list[Record]:
    """The records of every start of a job, once accounting has these states."""

    def records() -> list[Record]:
        return cluster.accounting(job, every_start=True)

    until(lambda: tuple(record.state for record in records()) == states, f"job {job} is {states} to accounting")
    return records()


def test_two_nodes_of_eight_gpus_are_idle(cluster):
    lines = cluster.run("sinfo", "--noheader", "--Node", "--partition=gpu", "--format=%N %T %c %G").splitlines()
    assert lines == ["n1 idle 16 gpu:h200:8", "n2 idle 16 gpu:h200:8"]


def test_jobs_at_once_get_different_gpus_and_the_ninth_waits(cluster, submit, tmp_path):
    job = submit(
        f"echo $CUDA_VISIBLE_DEVICES > {tmp_path}/$SLURM_ARRAY_TASK_ID; {UNTIL_CANCELLED}",
        *("--array=0-8", "--nodelist=n1", "--gpus-per-node=1"),
    )
    until(lambda: len(list(tmp_path.iterdir())) == 8, "eight tasks have started")
    until(lambda: {j.reason for j in cluster.jobs() if j.state == "PENDING"} == {"Resources"}, "the ninth waits")
    assert active(cluster) == {f"{job}_{task}": "RUNNING" for task in range(8)} | {f"{job}_8": "PENDING"}
    until(lambda: all(path.read_text() for path in tmp_path.iterdir()), "each has said its GPU")
    assert sorted(path.read_text().strip() for path in tmp_path.iterdir()) == [str(gpu) for gpu in range(8)]


def test_a_requeued_array_task_runs_again_and_the_others_go_on(cluster, submit, tmp_path):
    job = submit(
        f"echo start $SLURM_RESTART_COUNT >> {tmp_path}/$SLURM_ARRAY_TASK_ID; {ONLY_THE_FIRST_TIME}", "--array=0-1"
    )
    until(lambda: len(list(tmp_path.iterdir())) == 2, "both tasks have started")
    cluster.run("scontrol", "requeue", f"{job}_1")
    ended(cluster, f"{job}_1", "REQUEUED", "COMPLETED")
    assert (tmp_path / "1").read_text() == "start\nstart 1\n"
    assert (tmp_path / "0").read_text() == "start\n"
    until(lambda: active(cluster) == {f"{job}_0": "RUNNING"}, "the other task, and only it, runs")


def test_a_job_in_high_takes_the_gpus_of_one_in_gpu_which_runs_again_afterwards(cluster, submit, tmp_path):
    everything = ("--nodelist=n1", "--gpus-per-node=8")
    low = submit(f"echo low >> {tmp_path}/order; {ONLY_THE_FIRST_TIME}", *everything)
    until((tmp_path / "order").exists, "the job in gpu has started")
    high = submit(f"echo high >> {tmp_path}/order", "--partition=high", *everything)
    ended(cluster, low, "PREEMPTED", "COMPLETED")
    ended(cluster, high, "COMPLETED")
    assert (tmp_path / "order").read_text().split() == ["low", "high", "low"]


def test_accounting_tells_failed_from_cancelled(cluster, submit):
    failing = submit("exit 3", "--gpus-per-node=2")
    cancelled = submit(UNTIL_CANCELLED)
    until(lambda: active(cluster).get(cancelled) == "RUNNING", "the job to cancel runs")
    cluster.run("scancel", cancelled)
    ended(cluster, cancelled, "CANCELLED")
    [record] = ended(cluster, failing, "FAILED")
    assert record.exit_code == "3:0"
    assert record.node in cluster.nodes
    assert "gres/gpu=2" in record.tres.split(",")


def test_a_node_comes_back_after_its_slurmd_was_killed(cluster, submit):
    cluster.kill_slurmd("n1")
    cluster.set_node_down("n1")
    assert cluster.node_states() == {"n1": "down", "n2": "idle"}
    cluster.start_slurmd("n1")
    assert cluster.node_states() == {"n1": "idle", "n2": "idle"}
    ended(cluster, submit("true", "--nodelist=n1"), "COMPLETED")


def test_a_node_set_down_is_resumed(cluster):
    cluster.set_node_down("n2")
    assert cluster.node_states()["n2"] == "down"
    cluster.resume_node("n2")
    until(lambda: cluster.node_states()["n2"] == "idle", "n2 is back")


def test_an_outer_cluster_is_not_seen(cluster, submit, tmp_path, monkeypatch):
    outer = {"SLURM_CONF": "/nowhere", "SLURM_JOB_ID": "7", "SBATCH_PARTITION": "nowhere", "CUDA_VISIBLE_DEVICES": "5"}
    for name, value in outer.items():
        monkeypatch.setenv(name, value)
    job = submit(f"echo $SLURM_JOB_ID $SLURM_JOB_PARTITION ${{CUDA_VISIBLE_DEVICES-none}} > {tmp_path}/seen")
    ended(cluster, job, "COMPLETED")
    assert (tmp_path / "seen").read_text().split() == [job, "gpu", "none"]


def test_a_second_cluster_survives_an_interruption_and_leaves_nothing_behind(cluster, tmp_path):
    interrupted = Cluster(tmp_path / "second", nodes=1, gpus=1, max_array_size=5)
    interrupted.up()
    interrupted.run("sbatch", "--output=/dev/null", "--wrap", f"echo $$ > {tmp_path}/pid; {UNTIL_CANCELLED}")
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the job has said its pid")
    left = [int((tmp_path / "pid").read_text()), *of_cluster(interrupted.folder / "slurm.conf")]
    assert all(lives(pid) for pid in left)

    again = Cluster(tmp_path / "second", nodes=1, gpus=1, max_array_size=5)
    again.up()
    assert [pid for pid in left if lives(pid)] == []
    assert again.jobs() == []
    with pytest.raises(ClusterError, match="Invalid job array"):
        again.run("sbatch", "--array=0-5", "--wrap", "true")
    started = of_cluster(again.folder / "slurm.conf")
    again.down()
    interrupted.down()  # its daemons are dead; this waits for them

    assert [pid for pid in started if lives(pid)] == []
    assert set(cluster.node_states().values()) == {"idle"}


@pytest.mark.usefixtures("cluster")
def test_a_cluster_ends_with_the_program_that_brought_it_up_even_if_that_is_killed(tmp_path):
    program = f"""
import pathlib, time
from tests.slurm.cluster import Cluster
Cluster(pathlib.Path({str(tmp_path)!r}) / "cluster", nodes=1, gpus=1).up()
print("up", flush=True)
time.sleep(300)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"up\n"
        started = of_cluster(tmp_path / "cluster" / "slurm.conf")
        owner.kill()
    assert len(started) >= 6
    try:
        until(lambda: not any(lives(pid) for pid in started), "the daemons have ended", seconds=20)
    finally:
        kill_all(tmp_path / "cluster" / "slurm.conf")


@pytest.mark.usefixtures("cluster")
def test_a_daemon_that_does_not_start_is_named_with_its_log_and_nothing_stays_up(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "SLURM", f"{configuration.SLURM}Nonsense=1\n")
    with pytest.raises(
        ClusterError, match=r"slurm\w+ ended at once with exit code 1\n(?s:.*)unrecognized key: Nonsense"
    ):
        Cluster(tmp_path / "broken").up()
    assert of_cluster(tmp_path / "broken" / "slurm.conf") == []


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ClusterError, match="holds other things" if not missing_programs() else "not installed"):
        Cluster(tmp_path).up()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_missing_programs_are_named_with_the_command_that_installs_them(monkeypatch):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **how: None if "mariadb" in name else which(name, **how))
    missing = [name for name in missing_programs() if "mariadb" in name]
    assert missing == ["mariadbd", "mariadb-install-db"]
    assert how_to_install(missing) == (
        "mariadbd, mariadb-install-db not installed: apt-get install -y --no-install-recommends mariadb-server-core"
    )


def test_the_folder_of_the_cluster_holds_its_logs(cluster):
    logs = {path.name for path in (cluster.folder / "log").iterdir()}
    assert logs >= {"munged.log", "mariadbd.log", "slurmdbd.log", "slurmctld.log", "slurmd.n1.log", "steps.n1.log"}
