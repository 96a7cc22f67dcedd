"""Asks in batches: sent once, followed until they end, taken up again by the next run after a kill."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from time import sleep

from leakage.network.asking import Asking
from leakage.network.asks import Answer, Ask, answer_row
from leakage.network.faults import Failure
from leakage.network.provider import Batches
from leakage.network.reply import NoAnswerError

log = logging.getLogger(__name__)
CHUNK = 10_000  # requests in a batch


class Batched:
    """The batches of one call: those an earlier run has sent, and new ones where the settings say so."""

    def __init__(self, asking: Asking, batches: Batches, asks: Mapping[str, Ask]) -> None:
        self.asking, self.batches, self.asks = asking, batches, asks

    def run(self, open_ones: dict[str, list[str]]) -> None:
        """Follow what is open, and send what waits, until nothing is left or nothing more may be sent."""
        sends = self.asking.settings.batch
        while open_ones or sends:
            while sends and (chunk := list(islice(self._held(), CHUNK))):
                open_ones |= self._create(chunk)
            if not open_ones:
                return
            for batch, keys in open_ones.items():
                self._follow(batch, keys)
            open_ones = {}  # what the cap held back may fit now that the true cost is known

    def _held(self) -> Iterator[Ask]:
        return iter(self.asking.next, None)

    def _create(self, chunk: Sequence[Ask]) -> dict[str, list[str]]:
        """Send a batch; its id and its keys."""
        keys = [ask.key for ask in chunk]
        try:
            batch = self.batches.send(chunk)
        except Exception as error:
            failure = self.asking.provider.explain(error)
            self._fail(keys, failure)
            self.asking.stopped = True
            return {}
        # a kill before this line loses the id, and the next run sends these asks again: nothing may stand between
        holds = {key: self.asking.budget.holds[key][0] for key in keys}
        self.asking.journal.append({"batch": batch, "keys": keys, "holds": holds})
        return {batch: keys}

    def _fail(self, keys: Sequence[str], failure: Failure) -> None:
        self.asking.fail(failure, len(keys))
        for key in keys:
            self.asking.budget.settle(key, failure.usd)

    def _follow(self, batch: str, keys: Sequence[str]) -> None:
        """Wait for a batch and keep its answers; once all are kept no run takes it up again."""
        log.info("batch %s of %d asks; it may take 24 hours, a killed run goes on with it", batch, len(keys))
        returned: set[str] = set()
        try:
            if self._wait(batch, len(keys)):
                returned.update(self._keep(*line) for line in self.batches.results(batch))
        except Exception as error:
            if getattr(error, "status_code", None) != 404:  # it is still there for the next run
                lost = [key for key in keys if key not in self.asking.answers]
                self.asking.fail(self.asking.provider.explain(error), len(lost))
                for key in lost:
                    self.asking.budget.leave(key)
                return
        self.asking.journal.append({"batch": batch, "ended": True})
        if lost := [key for key in keys if key not in returned]:
            self.asking.failures[f"batch {batch} is gone, or has no result for it"] += len(lost)

    def _wait(self, batch: str, size: int) -> bool:
        """Poll until the batch has ended; whether its results can still be had."""
        done = 0
        while True:
            state = self.batches.state(batch)
            now = max(done, size - state.open)
            self.asking.advance(now - done)
            done = now
            if state.ended:
                return state.available
            sleep(self.asking.settings.poll_s)

    def _keep(self, key: str, outcome: Answer | NoAnswerError) -> str:
        """Keep what a batch says of one ask; the ask's key."""
        asking = self.asking
        if isinstance(outcome, NoAnswerError):
            asking.failures[str(outcome)] += 1
            asking.budget.settle(key, outcome.usd)
        elif key not in asking.answers:
            ask = self.asks.get(key)  # a batch of an earlier run may hold more than this one asks
            row = answer_row(key, outcome, kind=ask.kind if ask else "", payee=asking.settings.group)
            asking.journal.append(row)
            asking.count(key, outcome)
        return key
