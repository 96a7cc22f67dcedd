"""Batches side by side on a CPU, whose cores one batch does not fill: it is much else than matrix products."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Event
from typing import Any

from leakage.engine.cache import mixes

MOST = 4  # they share one interpreter, which has to start every operation of each


class StoppedError(Exception):
    """Another lane has failed, or the program is to stop."""


def lanes_of(model: Any) -> int:
    """How many batches of a model go side by side: one on a GPU, which a batch fills."""
    import torch

    if model.device.type != "cpu" or not mixes(model):
        return 1
    return min(MOST, torch.get_num_threads())


def side_by_side(model: Any, lanes: int, work: Callable[[], None]) -> None:
    """Do the work in every lane, each with its share of the threads; where one fails the others end with it."""
    import torch

    threads = torch.get_num_threads()

    def lane() -> None:
        torch.set_num_threads(max(1, threads // lanes))  # of this lane: every thread has a number of its own
        with torch.inference_mode():
            work()

    try:
        with _stopping(model) as stop, ThreadPoolExecutor(lanes) as pool:
            try:
                for one in as_completed([pool.submit(lane) for _ in range(lanes)]):
                    one.result()
            except BaseException:
                stop()
                raise
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _stopping(model: Any) -> Iterator[Callable[[], None]]:
    """What makes every lane end at its next token, so that nobody waits for a batch that is not wanted any more."""
    stopped = Event()

    def refuse(*_: Any) -> None:
        if stopped.is_set():
            raise StoppedError

    hook = model.register_forward_pre_hook(refuse)
    try:
        yield stopped.set
    finally:
        hook.remove()
