"""Everything that happens to jobs on a cluster, on a running sweep: named if it failed, mended by the same command.

The tests follow one another on one folder of results, as a user's days do.
"""

import json
import signal
import time

import pytest

from leakage.studies.persona_leakage.results import results
from tests.slurm.processes import until
from tests.slurm.sweeps import Sweep
from tests.survival.helpers import same_frame

SOURCES = {
    "exception": "villain",
    "unpicklable": "comedian",
    "exit": "assistant",
    "os_exit": "software_engineer",
    "kill": "kindergarten_teacher",
}
SLOW = {"cancelled": "librarian", "requeued": "police_officer", "usr2": "medical_doctor"}
SHORT = ["site.minutes=5"]  # submitit takes any USR2 within ten minutes of the end for a time-out
PENDING = "zelthari_scholar"
GRID = ["source=" + ",".join([*SOURCES.values(), *SLOW.values(), PENDING])]
TOLD = {
    "exception": "ValueError: injected",
    "unpicklable": "BrokenError: one and two",
    "exit": "SystemExit: 3",
    "os_exit": "ended without a word",
    "kill": "ended without a word",
    "cancelled": "ended without a word",
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def sweep(cluster, tmp_path_factory):
    return Sweep(cluster, tmp_path_factory.mktemp("sweep"))


def row(said, source):
    """The line that the table of failures has for a source."""
    (line,) = [line for line in said.partition("jobs done")[2].splitlines() if f"refusal x {source} on nano" in line]
    return line


def test_whatever_ends_a_job_is_named_and_stops_no_other(sweep):
    for what, source in (*SOURCES.items(), *(("slow", source) for source in SLOW.values())):
        sweep.order(source, what)
    process = sweep.start(*GRID, "hydra.launcher.array_parallelism=10")  # of eleven jobs
    until(lambda: list(sweep.multirun.glob(".plans/submitted/*")), "the jobs are submitted", seconds=60)
    sweep.cluster.run("scancel", sweep.job_of(PENDING))
    for source, command in (
        (SLOW["usr2"], ["scancel", "--signal=USR2"]),
        (SLOW["requeued"], ["scontrol", "requeue"]),
        (SLOW["cancelled"], ["scancel"]),
    ):
        sweep.until_training(source)
        job = sweep.job_of(source)
        sweep.cluster.run(*command, job)
        if command == ["scancel"]:  # it goes on until it is killed, and this one must not come to its end
            until(lambda job=job: job not in {one.id for one in sweep.cluster.jobs()}, f"{job} is gone", seconds=60)
        else:
            time.sleep(2)
        sweep.hurry(source)
    code, said = sweep.end(process)
    assert code == 1, said
    assert "4 of 11 jobs done" in said, said
    for what, source in {**SOURCES, "cancelled": SLOW["cancelled"]}.items():
        assert TOLD[what] in row(said, source), said
        assert f".submitit/{sweep.job_of(source)}/" in row(said, source)  # where to read more
    assert "launch" in row(said, PENDING)
    assert "it ended before it began: SLURM says" in row(said, PENDING)
    assert "error: 7 of 11 jobs are not done; the table above says why" in said


def test_a_job_told_to_save_went_back_into_the_queue_and_on_from_its_checkpoint(sweep):
    log = sweep.log_of(sweep.job_of(SLOW["usr2"]))
    assert "training goes on from checkpoint-" in log
    assert len(sweep.cluster.accounting(sweep.job_of(SLOW["usr2"]), every_start=True)) == 2
    assert len(sweep.cluster.accounting(sweep.job_of(SLOW["requeued"]), every_start=True)) == 2


def test_status_tells_the_same_at_any_time(sweep):
    done = sweep.cluster_python("-m", "leakage", "status", "--multirun", str(sweep.multirun))
    assert "ValueError: injected" in done
    assert done.startswith("4 done, 4 failed, 3 partial\n")


def test_the_same_command_does_what_is_missing_and_no_more(sweep):
    before = sweep.manifests()
    code, said = sweep.run(*GRID)
    assert code == 0, said
    assert "7 of 7 jobs done" in said
    after = sweep.manifests()
    assert before.items() <= after.items()  # nothing that was done was made again
    code, said = sweep.run(*GRID)
    assert code == 0
    assert "nothing to compute" in said


def test_every_job_had_one_gpu_of_its_own(sweep):
    shown = [json.loads(text)["provenance"]["gpus"] for text in sweep.manifests().values()]
    assert all(gpu.isdigit() for gpu in shown)

    submitted = sweep.jobs()  # others have used this cluster before, and some of their jobs had no GPU

    def started():
        return [record for record in sweep.cluster.accounting(*submitted) if record.node != "None assigned"]

    # its records come a moment after the fact; one job was cancelled before it had a node
    until(lambda: len(started()) == len(submitted) - 1, "accounting has the start of every job")
    until(lambda: {record.state for record in started()}.isdisjoint({"PENDING", "RUNNING"}), "and its end")
    assert [record for record in started() if "gres/gpu=1" not in record.tres.split(",")] == []


def test_a_time_out_that_may_not_be_requeued_is_named_and_its_steps_are_kept(sweep):
    sweep.order("villain", "slow")
    cell = ["source=villain", "seed=43"]
    process = sweep.start(*cell, *SHORT, "hydra.launcher.max_num_timeout=0")
    sweep.until_training("villain")
    sweep.cluster.run("scancel", "--signal=USR2", sweep.job_of("villain", seed=43))
    code, said = sweep.end(process)
    sweep.hurry("villain")
    assert code == 1
    assert "its time was over, more often than hydra.launcher.max_num_timeout allows" in row(said, "villain")
    code, said = sweep.run(*cell)
    assert code == 0, said
    assert "training goes on from checkpoint-" in sweep.log_of(sweep.job_of("villain", seed=43))


def test_a_time_out_that_may_be_requeued_goes_on_by_itself(sweep):
    sweep.order("villain", "slow")
    process = sweep.start("source=villain", "seed=44", *SHORT)
    sweep.until_training("villain")
    job = sweep.job_of("villain", seed=44)
    sweep.cluster.run("scancel", "--signal=USR2", job)
    time.sleep(2)
    sweep.hurry("villain")
    code, said = sweep.end(process)
    assert code == 0, said
    assert "training goes on from checkpoint-" in sweep.log_of(job)


def test_a_preempted_job_saves_and_goes_on_when_its_place_is_free_again(sweep):
    sweep.order("villain", "slow")
    process = sweep.start("source=villain", "seed=45")
    sweep.until_training("villain")
    job = sweep.job_of("villain", seed=45)
    sweep.cluster.run("sbatch", "--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 3")
    until(lambda: len(sweep.cluster.accounting(job, every_start=True)) == 2, "the job is back in the queue", seconds=60)
    sweep.hurry("villain")
    code, said = sweep.end(process)
    assert code == 0, said
    assert "training goes on from checkpoint-" in sweep.log_of(job)


def test_a_node_that_dies_under_a_job_loses_nothing(sweep):
    sweep.order("villain", "slow")
    process = sweep.start("source=villain", "seed=46")
    sweep.until_training("villain")
    (job,) = (one for one in sweep.cluster.jobs() if one.id == sweep.job_of("villain", seed=46))
    sweep.cluster.kill_slurmd(job.node)
    sweep.cluster.set_node_down(job.node)
    sweep.hurry("villain")
    code, said = sweep.end(process)
    sweep.cluster.start_slurmd(job.node)
    if code:
        assert "refusal x villain on nano, seed 46" in said
        code, said = sweep.run("source=villain", "seed=46")
    assert code == 0, said


def test_ctrl_c_lets_the_jobs_go_on_and_the_same_command_waits_for_them(sweep):
    sweep.order("villain", "slow")
    process = sweep.start("source=villain", "seed=47")
    sweep.until_training("villain")
    process.send_signal(signal.SIGINT)
    code, said = sweep.end(process)
    job = sweep.job_of("villain", seed=47)
    assert code == 130
    assert f"scancel {job.partition('_')[0]} ends them" in said
    again = sweep.start("source=villain", "seed=47")
    time.sleep(6)
    sweep.hurry("villain")
    code, said = sweep.end(again)
    assert code == 0, said
    assert "1 of the jobs are in SLURM's hands since an earlier start" in said
    assert sweep.job_of("villain", seed=47) == job  # not submitted a second time


def test_kill_9_of_the_sweep_itself_loses_nothing(sweep):
    sweep.order("villain", "slow")
    process = sweep.start("source=villain", "seed=48")
    sweep.until_training("villain")
    process.kill()
    sweep.end(process)
    sweep.hurry("villain")
    code, said = sweep.run("source=villain", "seed=48")
    assert code == 0, said


def test_the_results_are_those_of_an_undisturbed_sweep(sweep, tmp_path):
    where = f"paths.multirun={tmp_path}"
    for cells in (GRID, ["source=villain", "seed=43,44,45,46,47,48"]):
        code, said = sweep.run(*cells, where, launcher=["hydra/launcher=basic"])
        assert code == 0, said
    assert same_frame(results(sweep.multirun), results(tmp_path))
