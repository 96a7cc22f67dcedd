"""Many jobs on one machine: a process each, as many at a time as there are GPUs, or else cores."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from leakage.models.devices import VARIABLE, shown_gpus
from leakage.store.claim import LOG_VARIABLE

log = logging.getLogger(__name__)
SAY_EVERY_S = 30.0
GRACE_S = 60.0  # for a process to save what it has, before it is killed
_PR_SET_PDEATHSIG = 1  # Linux: the signal a process gets when its parent dies


@dataclass(frozen=True)
class Task:
    """A command to run, what it is called and where its output goes."""

    label: str
    command: Sequence[str]
    log: Path


@dataclass
class Slot:
    """A place for one process at a time, with what its environment must say."""

    name: str
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    task: Task | None = None


def make_slots(most: int | None = None) -> list[Slot]:
    """One for each GPU that is visible, or where there is none, for each core; at most so many."""
    if names := shown_gpus():
        slots = [Slot(f"GPU {name}", {VARIABLE: name}) for name in names]
    else:
        threads = os.environ.get("OMP_NUM_THREADS", "1")  # every process has its own core
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        slots = [Slot(f"core {core}", {"OMP_NUM_THREADS": threads}) for core in cores]
    return slots[:most]


def run_all(tasks: Sequence[Task], slots: Sequence[Slot]) -> list[tuple[Task, str]]:
    """Run every task in the first slot that is free; one that fails or is killed frees its slot, and the rest go on.

    Returns those that ended badly, and how: "exit 1", "killed by SIGKILL".
    """
    waiting, total = deque(tasks), len(tasks)
    bad: list[tuple[Task, str]] = []
    ended, said = 0, monotonic()
    try:
        while ended < total:
            for slot in slots:
                if slot.process and slot.process.poll() is not None:
                    ended += 1
                    bad += _tell_end(slot, f"{ended} of {total}")
                    slot.process, said = None, monotonic()
                if slot.process is None and waiting:
                    _start(slot, waiting.popleft())
            if monotonic() - said >= SAY_EVERY_S:
                said = monotonic()
                running = "; ".join(slot.task.label for slot in slots if slot.process and slot.task)
                log.info("%d of %d have ended, %d wait; at work: %s", ended, total, len(waiting), running)
            sleep(0.1)
        return bad
    finally:
        _stop(slots)


def _start(slot: Slot, task: Task) -> None:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | slot.environment | {LOG_VARIABLE: str(task.log)}
    with task.log.open("ab") as output:
        slot.process = subprocess.Popen(
            task.command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this program alone, which lets the others save first
            preexec_fn=_die_with_parent(),
        )
    slot.task = task
    log.info("%s: started on %s", task.label, slot.name)


def _die_with_parent() -> Callable[[], object] | None:
    """A killed pool must not leave processes behind on GPUs that the next pool takes for free."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork, where only what is safe may be done
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tell_end(slot: Slot, how_many: str) -> list[tuple[Task, str]]:
    """Say how a task ended; the task and that, if it was badly."""
    assert slot.process is not None
    assert slot.task is not None
    code = slot.process.returncode
    if code == 0:
        log.info("%s: done (%s)", slot.task.label, how_many)
        return []
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
    log.warning("%s: %s (%s); see %s", slot.task.label, how, how_many, slot.task.log)
    return [(slot.task, how)]


def _stop(slots: Sequence[Slot]) -> None:
    """End what still runs, kindly at first."""
    running = [slot.process for slot in slots if slot.process and slot.process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
