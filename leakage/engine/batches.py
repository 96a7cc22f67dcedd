"""Work in batches that become smaller where the memory does not hold one."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from threading import Lock
from typing import Any, TypeVar

from leakage.engine.lanes import lanes_of, side_by_side
from leakage.models.out_of_memory import halved, lacking_memory

log = logging.getLogger(__name__)
Item = TypeVar("Item")
REFILL = 0.25  # of a batch, that has to be free before others enter: reading their prompts costs a forward


class Batch(list[Item]):
    """Items that are worked on together. Those that are done may leave it, and others of the queue then enter.

    most: how many it has had at a time
    """

    def __init__(self, take: Callable[[int], list[Item]]) -> None:
        super().__init__(take(0))
        self._take, self.most = take, len(self)

    def more(self) -> list[Item]:
        """Others, as soon as enough of the batch has left; they are in it then."""
        entering = self._take(len(self))
        self += entering
        self.most = max(self.most, len(self))
        return entering


@dataclass
class Batches:
    """Batches of at most `size` items, which is halved for good each time that memory runs out.

    model: whose batches go side by side where it can be asked so, until memory does not hold single items so; None: one
    after the other
    """

    size: int
    model: Any = None
    _lock: Lock = field(default_factory=Lock)

    def run(self, items: Sequence[Item], work: Callable[[Batch[Item]], None]) -> None:
        """Do the work on all items, taken in their order. work: leaves nothing behind of what it leaves in the batch
        when it fails"""
        queue, alone = deque(items), deque[Item]()
        lanes = min(lanes_of(self.model), ceil(len(items) / self.size)) if self.model is not None else 1
        if lanes > 1:
            side_by_side(self.model, lanes, lambda: self._work_off(queue, work, alone))
        if alone:
            log.warning("out of memory with single sequences side by side; going on with one at a time")
            self.model = None
        self._work_off(alone or queue, work)

    def _work_off(
        self, queue: "deque[Item]", work: Callable[[Batch[Item]], None], alone: "deque[Item] | None" = None
    ) -> None:
        """alone: takes what the memory does not hold beside other lanes; None: there are no others"""
        while batch := Batch(partial(self._take, queue)):
            if cause := lacking_memory(work, batch):
                with self._lock:
                    if alone is not None and batch.most == 1:
                        alone.extend(batch)
                    else:
                        self.size = min(self.size, halved(batch.most, cause, "lower eval.max_new_tokens"))
                        queue.extendleft(reversed(batch))

    def _take(self, queue: "deque[Item]", beside: int) -> list[Item]:
        """What fills a batch that has so many; nothing where less than a quarter of it would be new."""
        with self._lock:
            free = self.size - beside
            return [queue.popleft() for _ in range(min(free, len(queue)))] if free >= self.size * REFILL else []
