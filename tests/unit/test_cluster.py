"""What is asked of SLURM and how its answers are read, through programs that speak as SLURM's do."""

import getpass
import time
from threading import Timer

import pytest

from leakage.errors import SweepError
from leakage.jobs.launch import slurm as cluster
from leakage.jobs.launch.slurm import (
    QueuedJob,
    SlurmError,
    Submissions,
    arrays,
    last_words,
    max_array_size,
    queued,
    wait,
)
from tests.unit.programs import put_in_path

QUEUE = "12_0|RUNNING|None\n12_1|PENDING|Resources\n13|COMPLETING|None\n14_2|PENDING|QOSMaxJobs|PerUserLimit\n"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Makes a program of SLURM's out of a line or two of shell."""
    return lambda name, script: put_in_path(tmp_path / "bin", monkeypatch, name, script)


def says(text):
    return f"cat <<'END'\n{text}END"


@pytest.mark.parametrize(
    ("jobs", "size", "sizes"),
    [(0, 5, []), (1, 5, [1]), (5, 5, [5]), (6, 5, [5, 1]), (1000, 1, [1] * 1000), (2500, 1001, [1001, 1001, 498])],
)
def test_no_array_is_larger_than_allowed_and_none_is_empty(jobs, size, sizes):
    made = list(arrays(range(jobs), size))
    assert [len(array) for array in made] == sizes
    assert [job for array in made for job in array] == list(range(jobs))


def test_the_queue_is_read_by_job(slurm, tmp_path):
    slurm("squeue", f"echo $@ > {tmp_path}/asked\n{says(QUEUE)}")
    assert queued() == {
        "12_0": QueuedJob("12_0", "RUNNING", "None"),
        "12_1": QueuedJob("12_1", "PENDING", "Resources"),
        "13": QueuedJob("13", "COMPLETING", "None"),
        "14_2": QueuedJob("14_2", "PENDING", "QOSMaxJobs|PerUserLimit"),
    }
    asked = (tmp_path / "asked").read_text().split()
    assert {"--array", "--noheader", f"--user={getpass.getuser()}"} <= set(asked)


@pytest.mark.parametrize("text", ["", "slurm_load_jobs: a notice\n", "\n\n"])
def test_a_queue_without_jobs_is_empty(slurm, text):
    slurm("squeue", says(text))
    assert queued() == {}


def test_the_largest_array_is_the_clusters(slurm):
    slurm("scontrol", says("MaxArrayIndex = 7\nMaxArraySize            = 4001\nMaxJobCount             = 10000\n"))
    assert max_array_size() == 4001
    slurm("scontrol", says("MaxJobCount             = 10000\n"))
    assert max_array_size() == 1001
    slurm("scontrol", says("MaxArraySize            = 0\n"))
    assert max_array_size() == 1


def test_where_slurm_is_not_installed_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for ask, program in ((queued, "squeue"), (max_array_size, "scontrol"), (lambda: wait(["1"]), "squeue")):
        with pytest.raises(SweepError) as caught:
            ask()
        assert str(caught.value) == (
            f"there is no {program} here; start the sweep where SLURM is, or use another launcher "
            "(hydra/launcher=pool or basic)"
        )
        assert not isinstance(caught.value, SlurmError)  # nothing to wait for
    assert last_words(["1"]) == {}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
         "slurm_load_jobs error: Unable to contact slurm controller"),
        ("exit 1", "squeue failed"),
    ],
)  # fmt: skip
def test_a_slurm_that_does_not_answer_is_told_in_its_own_words(slurm, script, said):
    slurm("squeue", script)
    with pytest.raises(SlurmError) as caught:
        queued()
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("left", "of", "told"),
    [
        ([("1", "PENDING", "Resources"), ("2", "PENDING", "Priority"), ("3", "RUNNING", "None")], 5,
         "2 of 5 jobs have ended, 2 pending, 1 running (Priority, Resources)"),
        ([("1", "RUNNING", "None")], 1, "0 of 1 jobs have ended, 1 running"),
        ([("1", "PENDING", "None"), ("2", "PENDING", "(null)")], 2, "0 of 2 jobs have ended, 2 pending"),
        ([("1", "RUNNING", "Prolog"), ("2", "PENDING", "Dependency")], 4,
         "2 of 4 jobs have ended, 1 running, 1 pending (Dependency)"),
    ],
)  # fmt: skip
def test_those_that_wait_are_counted_with_their_reasons(left, of, told):
    assert cluster._counted([QueuedJob(*one) for one in left], of) == told


def test_it_waits_until_slurm_has_none_of_the_jobs_and_asks_again_where_it_gets_no_answer(slurm, monkeypatch, caplog):
    monkeypatch.setattr(cluster, "SAY_EVERY_S", 0.0)
    caplog.set_level("INFO")
    slurm("squeue", says(QUEUE))
    script = [(0.5, "echo 'Socket timed out' >&2; exit 1"), (1.6, says("13|RUNNING|None\n"))]
    timers = [Timer(after, slurm, ("squeue", text)) for after, text in script]
    for timer in timers:
        timer.start()
    started = time.monotonic()
    wait(["12_0", "12_1", "15"])
    seconds = time.monotonic() - started
    for timer in timers:
        timer.join()
    assert 1.6 < seconds < 10
    assert caplog.messages[0] == "1 of 3 jobs have ended, 1 running, 1 pending (Resources)"
    assert "SLURM does not answer (Socket timed out); asking again" in caplog.messages


def test_jobs_of_an_earlier_start_are_found_while_slurm_has_them(slurm, tmp_path):
    slurm("squeue", says(QUEUE))
    multirun = tmp_path / "multirun"
    Submissions(multirun).note({"11_0": "a/1", "11_1": "b/2"})
    Submissions(multirun).note({"12_0": "a/1", "12_1": "c/3", "13_0": "d/4"})
    assert Submissions(multirun).active() == {"a/1": "12_0", "c/3": "12_1"}
    assert Submissions(tmp_path / "another").active() == {}


def test_the_last_words_of_jobs_are_those_of_the_accounting(slurm, tmp_path):
    ended = "12_0|COMPLETED|0:0\n12_1|FAILED|1:0\n12_2|CANCELLED by 0|0:15\n12_3|RUNNING|0:0\n"
    slurm("sacct", f"echo $@ > {tmp_path}/asked\n{says(ended)}")
    words = {"12_0": "COMPLETED, exit 0:0", "12_1": "FAILED, exit 1:0", "12_2": "CANCELLED by 0, exit 0:15"}
    assert last_words({"12_1", "12_0"}) == words
    assert (tmp_path / "asked").read_text().split()[-1] == "12_0,12_1"
    slurm("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert last_words({"12_1"}) == {}
