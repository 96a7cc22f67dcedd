"""Many jobs on one machine: never two in one place, and none left behind."""

import hashlib
import os
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from leakage.jobs.launch import workers as pool
from leakage.jobs.launch.workers import Slot, Task, make_slots, run_all
from tests import programs
from tests.unit.programs import put_in_path

NOTE = """
import os, sys, time
def note(word):
    with open(sys.argv[1], "a") as file:
        file.write(f"{time.monotonic()} {word} {sys.argv[2]} {os.environ['CUDA_VISIBLE_DEVICES']}\\n")
note("start")
time.sleep(0.25)
note("end")
"""
SLEEPER = """
import os, signal, sys, time
from pathlib import Path
folder, name = Path(sys.argv[1]), sys.argv[2]
def saved(number, _):
    (folder / f"{name}.saved").write_text(signal.Signals(number).name)
    sys.exit(0)
signal.signal(signal.SIGTERM, saved)
signal.signal(signal.SIGINT, saved)
(folder / f"{name}.tmp").write_text(str(os.getpid()))
(folder / f"{name}.tmp").rename(folder / f"{name}.pid")
time.sleep(120)
"""
POOL = """
import sys
from pathlib import Path
from leakage.jobs.launch.workers import Slot, Task, run_all
folder = Path(sys.argv[1])
tasks = [Task(n, folder / "sleeper.py", [str(folder), n], folder / f"{n}.log") for n in "abc"]
run_all(tasks, [Slot("one", {}), Slot("two", {})])
"""


@pytest.fixture(autouse=True)
def no_gpu_is_hidden(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def wait_for(found, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.02)
    return value


def task(folder, name, script, *more):
    return Task(name, program(folder, script), [str(folder / "notes"), name, *more], folder / f"{name}.log")


def program(folder, script):
    """A file of this text."""
    file = folder / f"{hashlib.sha256(script.encode()).hexdigest()[:8]}.py"
    file.write_text(script)
    return file


def gpus(*names):
    return [Slot(f"GPU {name}", {"CUDA_VISIBLE_DEVICES": name}) for name in names]


def test_every_visible_gpu_is_a_slot_by_its_own_name(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,GPU-5e1f")
    assert [slot.environment for slot in make_slots()] == [
        {"CUDA_VISIBLE_DEVICES": name} for name in ("2", "3", "GPU-5e1f")
    ]
    assert [slot.name for slot in make_slots(2)] == ["GPU 2", "GPU 3"]
    assert len(make_slots(8)) == 3


@pytest.mark.parametrize(
    ("visible", "names"),
    [("0, 1", ["GPU 0", "GPU 1"]), (" GPU-a , MIG-b", ["GPU GPU-a", "GPU MIG-b"]), ("3,,4", ["GPU 3"])],
)
def test_the_list_of_gpus_may_have_blanks_and_ends_where_cuda_stops(monkeypatch, visible, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setenv("PATH", "/nowhere")  # a machine whose GPUs nobody tells
    slots = make_slots()
    assert [slot.name for slot in slots] == names
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == [name[4:] for name in names]


@pytest.mark.parametrize("visible", ["0,0", "-1,0", "none"])
def test_a_list_in_which_cuda_sees_no_gpu_leaves_the_cores(monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert make_slots()[0].name.startswith("core ")


def test_gpus_that_are_named_and_are_not_there_get_no_work(tmp_path, monkeypatch):
    put_in_path(tmp_path / "bin", monkeypatch, "nvidia-smi", "printf '0, 81559\\n1, 81559\\n'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,9,0")
    assert [slot.name for slot in make_slots()] == ["GPU 1"]


def test_without_a_gpu_every_core_is_a_slot(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert [slot.environment for slot in make_slots()] == [{"OMP_NUM_THREADS": "1"}] * cores
    assert len(make_slots(1)) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert make_slots()[0].environment == {"OMP_NUM_THREADS": "3"}


def test_gpus_that_nobody_has_named_are_those_of_the_machine(tmp_path, monkeypatch):
    put_in_path(tmp_path / "bin", monkeypatch, "nvidia-smi", "printf '0, 81559\\n1, 81559\\n'")
    assert [slot.name for slot in make_slots()] == ["GPU 0", "GPU 1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert make_slots()[0].name.startswith("core ")


def test_no_gpu_ever_has_two_processes_and_every_gpu_has_work(tmp_path):
    run_all([task(tmp_path, f"job{i}", NOTE) for i in range(9)], gpus("4", "5", "6"))
    rows = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
    spans = {}
    for at, word, name, gpu in rows:
        spans.setdefault((gpu, name), {})[word] = float(at)
    assert {name for _, name in spans} == {f"job{i}" for i in range(9)}
    assert len(spans) == 9
    assert {gpu for gpu, _ in spans} == {"4", "5", "6"}
    for gpu in ("4", "5", "6"):
        in_order = sorted((span["start"], span["end"]) for (one, _), span in spans.items() if one == gpu)
        for (_, end), (start, _) in pairwise(in_order):
            assert start > end
    times = [(float(at), 1 if word == "start" else -1) for at, word, *_ in rows]
    at_once = [sum(step for when, step in times if when <= now) for now, _ in times]
    assert max(at_once) > 1  # they do run side by side


def test_output_and_the_place_of_the_log_reach_the_task(tmp_path):
    script = "import os, sys; print(os.environ['LEAKAGE_LOG']); print('trouble', file=sys.stderr); sys.stdin.read()"
    log = tmp_path / "deep" / "console.log"
    one = Task("one", program(tmp_path, script), [], log)
    run_all([one, one], gpus("0"))
    assert log.read_text().split() == [str(log), "trouble"] * 2  # another start adds to it


def test_one_that_fails_or_is_killed_frees_its_slot_and_is_named(tmp_path, caplog):
    caplog.set_level("INFO")
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    bad = [task(tmp_path, "killed", kill), task(tmp_path, "failed", "raise SystemExit(3)")]
    run_all([*bad, *[task(tmp_path, f"job{i}", NOTE) for i in range(3)]], gpus("0"))
    ended = [line.split()[2] for line in (tmp_path / "notes").read_text().splitlines() if " end " in line]
    assert ended == ["job0", "job1", "job2"]
    assert f"killed: killed by SIGKILL (1 of 5 ended); see {tmp_path / 'killed.log'}" in caplog.messages
    assert f"failed: exit 3 (2 of 5 ended); see {tmp_path / 'failed.log'}" in caplog.messages
    assert "job2: done (5 of 5 ended)" in caplog.messages
    assert caplog.messages.count("killed: started on GPU 0") == 1


def test_what_cannot_be_started_ends_those_that_were(tmp_path):
    (tmp_path / "no folder").touch()
    sleeper = Task("sleeper", program(tmp_path, SLEEPER), [str(tmp_path), "a"], tmp_path / "a.log")
    slots = gpus("0", "1")
    with pytest.raises(OSError, match="no folder"):
        run_all([sleeper, Task("lost", sleeper.program, [], tmp_path / "no folder" / "b.log")], slots)
    assert slots[0].process.exitcode is not None


def test_a_program_that_is_not_there_ends_badly_and_says_so(tmp_path):
    log = tmp_path / "b.log"
    assert [how for _, how in run_all([Task("missing", tmp_path / "none.py", [], log)], gpus("0"))] == ["exit 1"]
    assert "none.py" in log.read_text()


def test_on_cores_what_all_need_is_imported_once(tmp_path):
    """Without a GPU: each has a start of its own, and the threads that its core allows."""
    script = """
import os, sys
there = "torch" in sys.modules
import torch
print(there, torch.get_num_threads(), os.getsid(0) == os.getpid(), sys.argv[1:], __name__, flush=True)
"""
    tasks = [Task(name, program(tmp_path, script), [name], tmp_path / f"{name}.log") for name in "ab"]
    command = "import sys; from tests.unit.test_pool import *; run_all(eval(sys.argv[1]), make_slots(2))"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    programs.run("-c", "from pathlib import *; " + command, repr(tasks), env=environment, cold=True, check=True)
    for name in "ab":
        assert (tmp_path / f"{name}.log").read_text() == f"True 1 True ['{name}'] __main__\n"


@pytest.fixture
def started(tmp_path):
    """A program that runs three sleepers in two slots; the process, and the ids of the two that run."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    program = programs.start("-c", POOL, str(tmp_path), stderr=subprocess.PIPE)
    children = []
    try:
        children += [pid_of(tmp_path, name) for name in "ab"]
        yield program, children
    finally:
        for one in [program.pid, *children]:
            if is_alive(one):
                os.kill(one, signal.SIGKILL)
        program.wait(10)
        program.stderr.close()


def pid_of(folder, name):
    """The process of a sleeper, once it runs."""
    wait_for((folder / f"{name}.pid").is_file)
    return int((folder / f"{name}.pid").read_text())


def is_alive(one):
    """Whether a process runs; one that has ended and was not asked for yet does not."""
    try:
        os.kill(one, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{one}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z" if stat.parent.parent.is_dir() else True
    except FileNotFoundError:
        return False


def test_ctrl_c_lets_every_process_save_and_starts_no_other(started, tmp_path):
    program, children = started
    program.send_signal(signal.SIGINT)
    assert program.wait(30) != 0
    assert not [one for one in children if is_alive(one)]
    assert {file.name: file.read_text() for file in tmp_path.glob("*.saved")} == {
        "a.saved": "SIGTERM", "b.saved": "SIGTERM"
    }  # fmt: skip
    assert "KeyboardInterrupt" in program.stderr.read()
    assert not (tmp_path / "c.pid").exists()


def test_ctrl_c_in_a_terminal_reaches_the_pool_alone(started):
    """The terminal signals the whole group; they are in others."""
    program, children = started
    assert os.getpgid(program.pid) not in {os.getpgid(one) for one in children}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_pool_that_is_killed_leaves_no_process_behind(started, tmp_path, how):
    program, children = started
    program.send_signal(how)
    assert program.wait(30) == -how
    wait_for(lambda: not [one for one in children if is_alive(one)], 30)
    wait_for(lambda: len(list(tmp_path.glob("*.saved"))) == 2, 5)


def test_one_that_does_not_heed_is_killed_after_its_grace(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "GRACE_S", 0.3)
    deaf = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(120)"
    )
    slot = Slot("one", {})
    deaf_task = Task("deaf", program(tmp_path, deaf), [str(tmp_path / "ready")], tmp_path / "log")
    pool._start(pool._context([slot]), slot, deaf_task)
    wait_for((tmp_path / "ready").exists)
    began = time.monotonic()
    pool._stop([slot])
    assert slot.process.exitcode == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - began < 10
