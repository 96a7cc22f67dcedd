"""Many jobs on one machine: a process each, as many at a time as there are GPUs, or else cores."""

import logging
import multiprocessing
import os
import runpy
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

from leakage.models.devices import VARIABLE, shown_gpus
from leakage.store.claim import LOG_VARIABLE

log = logging.getLogger(__name__)
SAY_EVERY_S = 30.0
GRACE_S = 60.0  # for a process to save what it has, before it is killed
IMPORTED_ONCE = ("torch", "peft", "transformers.models.auto.modeling_auto", "pandas", "pyarrow.parquet", "scipy.stats")


@dataclass(frozen=True)
class Task:
    """A program and its arguments, what the task is called and where its output goes."""

    label: str
    program: Path
    arguments: Sequence[str]
    log: Path


@dataclass
class Slot:
    """A place for one process at a time, with what its environment must say."""

    name: str
    environment: dict[str, str]
    process: BaseProcess | None = field(default=None, repr=False)
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
    context, waiting, total = _context(slots), deque(tasks), len(tasks)
    bad: list[tuple[Task, str]] = []
    ended, said = 0, monotonic()
    try:
        while ended < total:
            for slot in slots:
                if slot.process and slot.process.exitcode is not None:
                    ended += 1
                    bad += _tell_end(slot, f"{ended} of {total} ended")
                    slot.process, said = None, monotonic()
                if slot.process is None and waiting:
                    _start(context, slot, waiting.popleft())
            if monotonic() - said >= SAY_EVERY_S:
                said = monotonic()
                running = "; ".join(slot.task.label for slot in slots if slot.process and slot.task)
                log.info("%d of %d have ended, %d wait; at work: %s", ended, total, len(waiting), running)
            sleep(0.1)
        return bad
    finally:
        _stop(slots)


def _context(slots: Sequence[Slot]) -> SpawnContext | ForkServerContext:
    """On cores: forks of one process that has imported what all jobs need. CUDA is not to be shared like that."""
    if sys.platform != "linux" or any(VARIABLE in slot.environment for slot in slots):
        return multiprocessing.get_context("spawn")
    os.environ.update(slots[0].environment)  # how many threads there are is read as libraries are imported
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED_ONCE])
    return context


def _start(context: SpawnContext | ForkServerContext, slot: Slot, task: Task) -> None:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    environment = slot.environment | {LOG_VARIABLE: str(task.log)}
    slot.process, slot.task = context.Process(target=_become, args=(task, environment)), task
    slot.process.start()
    log.info("%s: started on %s", task.label, slot.name)


def _become(task: Task, environment: Mapping[str, str]) -> None:
    """In the new process: what `python program arguments` does there, until this program has died."""
    os.setsid()  # Ctrl-C reaches this program alone, which lets the others save first
    os.environ.update(environment)
    with Path(os.devnull).open() as nothing, task.log.open("ab") as output:
        for stream, number in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(stream.fileno(), number)
    Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = [str(task.program), *task.arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _end_with_parent() -> None:
    """A killed pool must not leave processes behind on GPUs that the next pool takes for free."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell_end(slot: Slot, how_many: str) -> list[tuple[Task, str]]:
    """Say how a task ended; the task and that, if it was badly."""
    assert slot.process is not None
    assert slot.task is not None
    code = slot.process.exitcode
    if not code:
        log.info("%s: done (%s)", slot.task.label, how_many)
        return []
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
    log.warning("%s: %s (%s); see %s", slot.task.label, how, how_many, slot.task.log)
    return [(slot.task, how)]


def _stop(slots: Sequence[Slot]) -> None:
    """End what still runs, kindly at first."""
    running = [slot.process for slot in slots if slot.process and slot.process.exitcode is None]
    for process in running:
        process.terminate()
    for process in running:
        process.join(GRACE_S)
        if process.exitcode is None:
            process.kill()
            process.join()
