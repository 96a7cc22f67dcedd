"""What a provider of models does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from leakage.network.asks import Answer, Ask
from leakage.network.faults import Failure
from leakage.network.reply import NoAnswerError


@dataclass(frozen=True)
class BatchState:
    """Where a batch stands: how many of its asks are open, whether all of it ended, whether its results can be had."""

    open: int
    ended: bool
    available: bool


class Batches(Protocol):
    """Many asks sent at once, answered within a day."""

    def send(self, asks: Sequence[Ask]) -> str:
        """Send a batch, once; its id."""
        ...

    def state(self, batch: str) -> BatchState:
        """Where a batch stands."""
        ...

    def results(self, batch: str) -> Iterator[tuple[str, Answer | NoAnswerError]]:
        """What a batch says of each ask, with the ask's key."""
        ...


class Provider(Protocol):
    """A model behind an API; threads may share it."""

    @property
    def batches(self) -> Batches | None:
        """None where the provider has none."""
        ...

    def ask(self, ask: Ask) -> Answer:
        """Ask once."""
        ...

    def explain(self, error: Exception) -> Failure:
        """See `faults.explain`."""
        ...

    def close(self) -> None:
        """Let go of its connections."""
        ...
