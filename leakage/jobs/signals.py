"""SIGTERM, SIGUSR2 and Ctrl-C while a job runs: what can be saved is saved first.

SLURM sends USR2 shortly before a job's time is over; submitit's own handler then puts the job back into the queue. At
preemption only SIGTERM comes, and SLURM itself puts the job back.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from leakage.errors import LeakageError

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGUSR2)
Handler = Callable[[int, FrameType | None], Any] | int | None


class OutOfTimeError(LeakageError):
    """The launcher will not put the job back into the queue once more."""


class Stopped(SystemExit):
    """The program leaves because it was told to; nothing has failed."""


class _Stop:
    """The signal that waits for something to be saved, and what the launcher would have done with it."""

    def __init__(self) -> None:
        self.before: dict[int, Handler] = {}
        self.savers = 0
        self.waiting: int | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        twice = number == self.waiting == signal.SIGINT  # who presses Ctrl-C again does not want to wait
        if self.savers and not twice:
            self.waiting = number
        else:
            self.act(number, frame)

    def act(self, number: int, frame: FrameType | None = None) -> None:
        self.waiting = None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        name, before = signal.Signals(number).name, self.before.get(number)
        if "SUBMITIT_FOLDER" not in os.environ or not callable(before):
            print(f"\n{name}: what was finished is kept, the same command goes on from there", file=sys.stderr)
            raise Stopped(128 + number)
        log.warning("%s: what was finished is kept", name)
        try:
            before(number, frame)  # submitit: USR2 requeues and exits, SIGTERM is left to SLURM
        except SystemExit as leaving:
            raise Stopped(leaving.code) from None
        except Exception as error:
            cause = "its time was over, more often than hydra.launcher.max_num_timeout allows"
            raise OutOfTimeError(f"{cause}; raise that or hydra.launcher.timeout_min") from error


_stop = _Stop()


@contextmanager
def stopping_softly() -> Iterator[None]:
    """Take the signals over; what handled them before still decides what follows."""
    if signal.getsignal(SIGNALS[0]) == _stop.receive:  # a sweep that runs its jobs itself has them already
        yield
        return
    try:
        _stop.before = {number: signal.signal(number, _stop.receive) for number in SIGNALS}
    except ValueError:  # only the main thread of a program can
        yield
        return
    try:
        yield
    finally:
        for number, handler in _stop.before.items():
            signal.signal(number, handler)


@contextmanager
def saving() -> Iterator[None]:
    """In this block a signal waits until `stop_now` is called, which has to be soon after `stop_wanted`."""
    _stop.savers += 1
    try:
        before = signal.signal(signal.SIGINT, _stop.receive)
    except ValueError:  # only the main thread of a program can
        before = None
    try:
        yield
    finally:
        _stop.savers -= 1
        if before is not None:
            signal.signal(signal.SIGINT, before)


def stop_wanted() -> bool:
    """Whether a signal waits."""
    return _stop.waiting is not None


def stop_now() -> None:
    """Let the signal that waits do its work; everything is saved."""
    if _stop.waiting is not None:
        _stop.act(_stop.waiting)
