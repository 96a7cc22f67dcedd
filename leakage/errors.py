"""Errors a user can mend: one sentence that names the thing, the cause and the mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class LeakageError(Exception):
    """Anything the user can put right; its text is the whole message."""


class ConfigError(LeakageError):
    """A setting is wrong; nothing has been run."""


class DataError(LeakageError):
    """A data file is wrong; the message names the file and the line."""


class ModelError(LeakageError):
    """A model or an adapter cannot be loaded."""


class TrainingError(LeakageError):
    """Training did not end in a usable adapter."""


class StoreError(LeakageError):
    """A result folder cannot be read or written."""


class SweepError(LeakageError):
    """Jobs of a sweep are not done, or cannot be launched."""


class JudgeError(LeakageError):
    """A judge or a subject behind an API cannot be asked, or did not answer."""


def nearest(name: str, options: Iterable[str]) -> str:
    """The closest options, ready to stand in a message; empty when none is close."""
    pool = list(options)
    close = get_close_matches(name, pool, n=3, cutoff=0.6)
    close += [option for option in pool if name and name in option and option not in close]
    return "; nearest: " + ", ".join(close[:3]) if close else ""


def first_line(error: BaseException) -> str:
    """The first line of an error of somebody else's, ready to stand in a message; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(" .;") if lines else type(error).__name__
