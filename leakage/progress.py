"""Progress on anything that takes a while: a bar in a terminal, a line every few seconds in a log."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

log = logging.getLogger(__name__)
Progress = Callable[[int], object]
EVERY = 5.0  # seconds between two lines of a log


@dataclass
class Going:
    """How far something is."""

    unit: str
    total: int
    done: int = 0


_going: list[Going] = []  # innermost last; one process does one thing at a time


def latest() -> Going | None:
    """What this process counts at the moment, for those who tell others how far it is."""
    return _going[-1] if _going else None


@contextmanager
def progress(total: int, what: str, unit: str) -> Iterator[Progress]:
    """Yields a function to call with the number of units done since the last call."""
    going = Going(unit, total)
    _going.append(going)
    try:
        with _shown(total, what, unit) as show:

            def advance(count: int) -> None:
                going.done += count
                show(count)

            yield advance
    finally:
        _going.remove(going)


@contextmanager
def _shown(total: int, what: str, unit: str) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield _lines(total, what, unit)
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=unit, leave=False, dynamic_ncols=True) as bar:
        yield bar.update


def _lines(total: int, what: str, unit: str) -> Progress:
    """A bar is unreadable in a file, so a line is written now and then."""
    done, last = 0, monotonic()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if monotonic() - last >= EVERY and done < total:
            last = monotonic()
            log.info("%s: %d of %d %ss", what, done, total, unit)

    return advance


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Something that cannot be counted: a moving mark in a terminal, a line every few seconds in a log."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(what):
            yield
        return
    over, started = Event(), monotonic()

    def tell() -> None:
        while not over.wait(EVERY):
            log.info("%s: %.0f s so far", what, monotonic() - started)

    Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        over.set()
