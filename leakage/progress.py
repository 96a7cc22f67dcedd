"""Progress on anything that takes a while: a bar in a terminal, a line every few seconds in a log."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
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
    tokens: int = 0  # a model's, in the course of it
    since: float = field(default_factory=monotonic)

    @property
    def rate(self) -> str:
        """Tokens a second since the beginning, ready to stand behind what is done; "" where none were counted."""
        return f"{self.tokens / max(monotonic() - self.since, 1e-3):,.0f} tokens/s" if self.tokens else ""


_going: list[Going] = []  # innermost last; one process does one thing at a time
_counting = Lock()  # which several threads may do


def latest() -> Going | None:
    """What this process counts at the moment, for those who tell others how far it is."""
    return _going[-1] if _going else None


def count_tokens(tokens: int) -> None:
    """A model has written so many tokens for what is counted at the moment."""
    with _counting:
        if _going:
            _going[-1].tokens += tokens


def unseen(_: int) -> None:
    """Progress of what is over before anybody asks."""


@contextmanager
def progress(total: int, what: str, unit: str) -> Iterator[Progress]:
    """Yields a function to call with the number of units done since the last call."""
    going = Going(unit, total)
    _going.append(going)
    try:
        with _shown(going, what) as show:

            def advance(count: int) -> None:
                with _counting:
                    going.done += count
                    show(count)

            yield advance
    finally:
        _going.remove(going)


@contextmanager
def _shown(going: Going, what: str) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield _lines(going, what)
        return
    from tqdm import tqdm

    with tqdm(total=going.total, desc=what, unit=going.unit, leave=False, dynamic_ncols=True) as bar:

        def advance(count: int) -> None:
            bar.set_postfix_str(going.rate, refresh=False)
            bar.update(count)

        yield advance


def _lines(going: Going, what: str) -> Progress:
    """A bar is unreadable in a file, so a line is written now and then."""
    last = monotonic()

    def advance(_count: int) -> None:
        nonlocal last
        if monotonic() - last >= EVERY and going.done < going.total:
            last = monotonic()
            rate = f" ({going.rate})" if going.rate else ""
            log.info("%s: %d of %d %ss%s", what, going.done, going.total, going.unit, rate)

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
