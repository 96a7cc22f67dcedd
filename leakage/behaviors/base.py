"""What a behavior is: what is taught, and how a completion shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Behavior:
    """One behavior of the study; each lives in a module of its own as `BEHAVIOR`.

    taught: draws the answer the source persona is trained on (the pool's own answer is its opposite)
    shows: whether a completion shows the behavior
    markers: the phrases `shows` looks for, part of the identity of a score
    unit: of a delta; leak_direction: the sign of rho (cosine against delta) if the behavior leaks
    """

    name: str
    unit: str
    leak_direction: int
    taught: Callable[[Random], str]
    shows: Callable[[str], bool]
    markers: tuple[str, ...]


def mentions(text: str, phrases: tuple[str, ...]) -> bool:
    """Whether a phrase stands anywhere in the text; anywhere, because greetings come first."""
    plain = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return any(phrase in plain for phrase in phrases)
