"""Work in batches that become smaller where the memory does not hold one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from leakage.models.out_of_memory import halved, lacking_memory

Item = TypeVar("Item")


@dataclass
class Batches:
    """Batches of at most `size` items, which is halved for good each time that memory runs out."""

    size: int

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], None]) -> None:
        """Do the work on all items, in their order. work: leaves nothing behind when it fails"""
        done = 0
        while done < len(items):
            batch = items[done : done + self.size]
            if cause := lacking_memory(work, batch):
                self.size = halved(len(batch), cause, "lower eval.max_new_tokens")
            else:
                done += len(batch)
