"""Threads that ask: as many as questions may be in flight."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue, SimpleQueue
from threading import Thread

from leakage.network.asks import Answer, Ask

Outcome = tuple[str, Answer | Exception]  # with the key of the ask
Todo = SimpleQueue[Ask | None]  # None ends a thread


@contextmanager
def threads(count: int, work: Callable[[Ask], Outcome]) -> Iterator[tuple[Todo, "Queue[Outcome]"]]:
    """Two queues with `count` threads between them: daemons, for an executor's would hold up Ctrl-C till a time-out."""
    todo: Todo = SimpleQueue()
    done: Queue[Outcome] = Queue()

    def loop() -> None:
        while (ask := todo.get()) is not None:
            done.put(work(ask))

    started = [Thread(target=loop, daemon=True) for _ in range(count)]
    for thread in started:
        thread.start()
    try:
        yield todo, done
    finally:
        for _ in started:
            todo.put(None)
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt):  # what is in flight is paid for: let it arrive
            for thread in started:
                thread.join()
