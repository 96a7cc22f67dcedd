"""The flow of one call: the journal first, then the model, within the cap; nothing that arrived is lost by a kill."""

import logging
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, JudgeError
from leakage.network.asks import Answer, Ask, Budget, answer_row, estimate_usd, open_batches, stored_answers
from leakage.network.provider import Batches, NoAnswerError, Provider
from leakage.progress import Progress, progress
from leakage.store.journal import Journal

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

Outcome = tuple[str, Answer | Exception]  # with the key of the ask
Todo = SimpleQueue[Ask | None]  # None ends a thread

log = logging.getLogger(__name__)
CHUNK = 10_000  # requests in a batch
GIVE_UP = 5  # asks in a row that failed for one cause: the next would too


def ask_all(
    asks: Sequence[Ask], settings: "ApiSettings", journal: Journal, *,
    label: str, unit: str = "verdict", keep_empty: bool = False,
) -> dict[str, Answer]:  # fmt: skip
    """The answer to every key: from the journal where it is there, else from the model.

    All that the journal has cost and will cost stays within settings.max_usd: a sweep has one cap, not a cap a cell.
    Where some stay without an answer a JudgeError says why, after all that arrived is in the journal.
    keep_empty: a reply without text is an answer too, with its stop_reason; else it is asked for again by the next run
    """
    rows = journal.rows()
    answers, wanted = dict(journal.made(stored_answers)), {ask.key: ask for ask in asks}
    missing = {key: ask for key, ask in wanted.items() if key not in answers}
    if missing:
        with closing(_provider(settings, keep_empty=keep_empty)) as provider:
            opened = open_batches(rows, missing) if provider.batches else {}
            sent = {key for keys in opened.values() for key in keys}
            waiting = [ask for ask in missing.values() if ask.key not in sent]
            cap = f"{settings.group}.max_usd={settings.max_usd:g}"
            cost = f"about ${estimate_usd(waiting, settings):.2f}, cap {cap}"
            log.info("%s: %d asks to %s, %s", label, len(waiting), settings.model, cost)
            with progress(len(missing), label, unit) as advance:
                asking = _Asking(provider, settings, journal, asks=missing, answers=answers, advance=advance)
                asking.run(waiting, opened)
        log.info("%s: $%.2f of %s spent", label, asking.budget.spent, cap)
        if lacking := len(missing.keys() - answers.keys()):
            mend = "the same command asks only for those"
            raise JudgeError(f"{label}: {lacking} of {len(wanted)} have no answer: {asking.why()}; {mend}")
    return {key: answers[key] for key in wanted}


def _provider(settings: "ApiSettings", *, keep_empty: bool) -> Provider:
    from leakage.network.anthropic_api import ClaudeApi
    from leakage.network.openai_api import OpenAIApi

    for name in ("httpx", "httpx2", "anthropic", "openai"):
        logging.getLogger(name).setLevel(logging.WARNING)  # else a line for every request and retry
    if settings.provider == "anthropic":
        return ClaudeApi(settings, keep_empty=keep_empty)
    if settings.batch:
        name = settings.group
        raise ConfigError(f"{name}.batch=true: only Claude's own API is asked in batches; set {name}.batch=false")
    return OpenAIApi(settings, keep_empty=keep_empty)


class _Asking:
    """One call of ask_all: what waits, what came back, what failed. Only `_ask` runs in other threads."""

    def __init__(
        self, provider: Provider, settings: "ApiSettings", journal: Journal, *,
        asks: Mapping[str, Ask], answers: dict[str, Answer], advance: Progress,
    ) -> None:  # fmt: skip
        self.provider, self.settings, self.journal = provider, settings, journal
        self.asks, self.answers, self.advance = asks, answers, advance
        self.waiting: deque[Ask] = deque()
        self.budget = Budget(settings, spent=sum(answer.usd for answer in answers.values()))
        self.failures: Counter[str] = Counter()
        self.last_causes: deque[str] = deque(maxlen=GIVE_UP)
        self.stopped = False

    def run(self, waiting: Sequence[Ask], opened: Mapping[str, list[str]]) -> None:
        """Ask until nothing waits or nothing more may be sent; what an earlier run sent is not sent again."""
        self.waiting.extend(waiting)
        if batches := self.provider.batches:
            self._batched(batches, dict(opened))
        if not self.settings.batch:
            self._live()

    def _batched(self, batches: Batches, open_ones: dict[str, list[str]]) -> None:
        """Follow the batches that are open, and send what waits in new ones where the settings say so."""
        while open_ones or self.settings.batch:
            while self.settings.batch and (chunk := list(islice(iter(self._next, None), CHUNK))):
                open_ones |= self._create(batches, chunk)
            if not open_ones:
                return
            for batch, keys in open_ones.items():
                self._follow(batches, batch, keys)
            open_ones = {}  # what the cap held back may fit now that the true cost is known

    def why(self) -> str:
        """Why some asks have no answer."""
        causes = []
        if self.waiting and not self.stopped:
            cap = f"{self.settings.group}.max_usd"
            spent = f"${self.budget.spent:.3f} of {cap}={self.settings.max_usd:g} is spent"
            causes = [f"{spent}, the next of the {len(self.waiting)} left could exceed it, raise {cap}"]
        causes += [cause for cause, _ in self.failures.most_common(1)]
        return "; ".join(causes)

    def _live(self) -> None:
        """Keep as many asks in flight as the settings allow."""
        in_flight, most = 0, min(self.settings.concurrency, len(self.waiting))
        with _threads(most, self._ask) as (todo, done):
            while True:
                while in_flight < most and (ask := self._next()):
                    todo.put(ask)
                    in_flight += 1
                if not in_flight:
                    return
                key, outcome = done.get()
                in_flight -= 1
                if isinstance(outcome, Answer):
                    self._count(key, outcome)
                    self.last_causes.clear()
                    self.advance(1)
                else:
                    self._fail([key], outcome)

    def _next(self) -> Ask | None:
        """The next ask; None when nothing waits or nothing may be sent now."""
        if self.stopped or not self.waiting or not self.budget.hold(self.waiting[0]):
            return None
        return self.waiting.popleft()

    def _ask(self, ask: Ask) -> Outcome:
        """Ask and keep the answer. An error is handed over: in a thread of its own it would go unseen."""
        try:
            answer = self.provider.ask(ask)
            self.journal.append(answer_row(ask.key, answer, kind=ask.kind))
        except Exception as error:
            return ask.key, error
        return ask.key, answer

    def _count(self, key: str, answer: Answer) -> None:
        self.answers[key] = answer
        self.budget.release(key, spent=answer.usd)

    def _fail(self, keys: Sequence[str], error: Exception) -> None:
        """Note why asks failed, and stop where the next could only fail as well."""
        cause, lasting = self.provider.explain(error)
        self.failures[cause] += len(keys)
        self.last_causes.append(cause)
        self.stopped |= lasting or self.last_causes.count(cause) == GIVE_UP
        if hasattr(error, "status_code"):  # any other failure may be billed, so what is held for it stays held
            for key in keys:
                self.budget.release(key)

    def _create(self, batches: Batches, chunk: Sequence[Ask]) -> dict[str, list[str]]:
        """Send a batch; its id and its keys."""
        keys = [ask.key for ask in chunk]
        try:
            batch = batches.send(chunk)
        except Exception as error:
            self._fail(keys, error)
            self.stopped = True
            return {}
        # a kill before this line loses the id, and the next run sends these asks again: nothing may stand between
        self.journal.append({"batch": batch, "keys": keys})
        return {batch: keys}

    def _follow(self, batches: Batches, batch: str, keys: Sequence[str]) -> None:
        """Wait for a batch and keep its answers; once all are kept no run takes it up again."""
        log.info("batch %s of %d asks; it may take 24 hours, a killed run goes on with it", batch, len(keys))
        returned: set[str] = set()
        try:
            if self._wait(batches, batch, len(keys)):
                returned.update(self._keep(*line) for line in batches.results(batch))
        except Exception as error:
            if getattr(error, "status_code", None) != 404:  # it is still there for the next run
                self._fail([key for key in keys if key not in self.answers], error)
                return
        self.journal.append({"batch": batch, "ended": True})
        if lost := [key for key in keys if key not in returned]:
            self.failures[f"batch {batch} is gone, or has no result for it"] += len(lost)

    def _wait(self, batches: Batches, batch: str, size: int) -> bool:
        """Poll until the batch has ended; whether its results can still be had."""
        done = 0
        while True:
            state = batches.state(batch)
            now = max(done, size - state.open)
            self.advance(now - done)
            done = now
            if state.ended:
                return state.available
            sleep(self.settings.poll_s)

    def _keep(self, key: str, outcome: Answer | NoAnswerError) -> str:
        """Keep what a batch says of one ask; the ask's key."""
        if isinstance(outcome, NoAnswerError):
            self.failures[str(outcome)] += 1
            if not outcome.billed:
                self.budget.release(key)
        elif key not in self.answers:
            ask = self.asks.get(key)  # a batch of an earlier run may hold more than this one asks
            self.journal.append(answer_row(key, outcome, kind=ask.kind if ask else ""))
            self._count(key, outcome)
        return key


@contextmanager
def _threads(count: int, work: Callable[[Ask], Outcome]) -> Iterator[tuple[Todo, SimpleQueue[Outcome]]]:
    """Two queues with `count` threads between them: daemons, for an executor's would hold up Ctrl-C till a time-out."""
    todo, done = Todo(), SimpleQueue[Outcome]()

    def loop() -> None:
        while (ask := todo.get()) is not None:
            done.put(work(ask))

    threads = [Thread(target=loop, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield todo, done
    finally:
        for _ in threads:
            todo.put(None)
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt):  # what is in flight is paid for: let it arrive
            for thread in threads:
                thread.join()
