"""One call's asks in flight: what waits, what came back, what failed and what follows from that."""

import heapq
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from queue import Empty
from random import random
from time import monotonic, sleep
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, LeakageError
from leakage.network.asks import BLOCKED, Answer, Ask, answer_row
from leakage.network.budget import Budget
from leakage.network.faults import Failure, objection
from leakage.network.provider import Provider
from leakage.network.threads import Outcome, threads
from leakage.progress import Progress
from leakage.store.journal import Journal

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

log = logging.getLogger(__name__)
GIVE_UP = 5  # asks in a row that failed for one cause: the next would too
OBJECTIONS = {"rejected": 4, "blocked": 10}  # of one kind before the first answer: it is not the prompts
LONGEST_PAUSE_S, PAUSE_S, LATER_S = 60.0, 0.5, 2.0
LOOK_S = 0.2  # between two looks at what other processes hold


@dataclass
class Asking:
    """What one call asks. Only `ask` runs in other threads.

    answers: what the journal had, and what has come since; earlier: whether it had any to these asks
    """

    provider: Provider
    settings: "ApiSettings"
    journal: Journal
    budget: Budget
    answers: dict[str, Answer]
    advance: Progress
    earlier: bool
    waiting: deque[Ask] = field(default_factory=deque)
    failures: Counter[str] = field(default_factory=Counter)
    objections: list[tuple[Ask, Failure]] = field(default_factory=list)
    stopped: bool = False
    answered: int = 0
    _delayed: list[tuple[float, int, Ask]] = field(default_factory=list)
    _tries: Counter[str] = field(default_factory=Counter)
    _pause_until: float = 0.0
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=GIVE_UP))

    def live(self) -> None:
        """Keep as many asks in flight as the settings allow, until nothing waits or nothing more may be sent."""
        in_flight: dict[str, Ask] = {}
        most = min(self.settings.concurrency, len(self.waiting))
        with threads(most, self.ask) as (todo, done):
            while True:
                while len(in_flight) < most and (ask := self.next(len(in_flight))):
                    in_flight[ask.key] = ask
                    todo.put(ask)
                if not in_flight:
                    if self._may_go_on():
                        continue
                    break
                try:
                    key, outcome = done.get(timeout=self._until_due())
                except Empty:
                    continue
                self.take(in_flight.pop(key), outcome)
        self._keep_objections(at_the_end=True)

    def next(self, in_flight: int = 0) -> Ask | None:
        """The next ask; None when nothing waits or nothing may be sent now."""
        if self.stopped or monotonic() < self._pause_until:
            return None
        if self.objections and not self.answered and in_flight:
            return None  # one by one, until it is known whether the prompts are at fault
        while self._delayed and self._delayed[0][0] <= monotonic():
            self.waiting.appendleft(heapq.heappop(self._delayed)[2])
        if not self.waiting or not self.budget.hold(self.waiting[0]):
            return None
        return self.waiting.popleft()

    def ask(self, ask: Ask) -> Outcome:
        """Ask and keep the answer. An error is handed over: in a thread of its own it would go unseen."""
        try:
            answer = self.provider.ask(ask)
            self.journal.append(answer_row(ask.key, answer, kind=ask.kind, payee=self.settings.group))
        except Exception as error:
            return ask.key, error
        return ask.key, answer

    def take(self, ask: Ask, outcome: Answer | Exception) -> None:
        """Count an answer, or see what follows from an error."""
        if isinstance(outcome, Answer):
            self.count(ask.key, outcome)
            self.advance(1)
            return
        if isinstance(outcome, LeakageError):
            self.budget.settle(ask.key, 0.0 if isinstance(outcome, ConfigError) else None)
            raise outcome
        failure = self.provider.explain(outcome)
        self.budget.settle(ask.key, failure.usd)
        if failure.end in {"again", "later"} and self._tries[ask.key] < self.settings.retries and not self.stopped:
            self._delay(ask, failure)
        elif failure.end in OBJECTIONS:
            self._object(ask, failure)
        else:
            self.fail(failure)

    def count(self, key: str, answer: Answer) -> None:
        """Take an answer in."""
        self.answers[key] = answer
        self.answered += 1
        self.budget.settle(key, answer.usd)
        self._last.clear()
        self._keep_objections()

    def fail(self, failure: Failure, asks: int = 1) -> None:
        """Note why asks failed, and stop where the next could only fail as well."""
        self.failures[failure.cause] += asks
        self._last.append(failure.cause)
        self.stopped |= failure.end == "all" or self._last.count(failure.cause) == GIVE_UP

    def why(self) -> str:
        """Why some asks have no answer."""
        causes = []
        if self.waiting and not self.stopped:
            cap = f"{self.settings.group}.max_usd"
            spent = f"${self.budget.spent:.3f} of {cap}={self.settings.max_usd:g} is spent"
            causes = [f"{spent}, the next of the {len(self.waiting)} left could exceed it, raise {cap}"]
        causes += [cause for cause, _ in self.failures.most_common(1)]
        return "; ".join(causes)

    def _delay(self, ask: Ask, failure: Failure) -> None:
        """Ask again after a while, which doubles; where too much was asked, everything waits."""
        tries = self._tries[ask.key]
        self._tries[ask.key] += 1
        base = LATER_S if failure.end == "later" else PAUSE_S
        pause = min(LONGEST_PAUSE_S, base * 2**tries) * (1 - random() / 4)  # not all at once
        due = monotonic() + (pause if failure.after_s is None else failure.after_s)
        if failure.end == "later":
            self._pause_until = max(self._pause_until, due)
        heapq.heappush(self._delayed, (due, self._tries.total(), ask))

    def _object(self, ask: Ask, failure: Failure) -> None:
        """A prompt that the provider answers with an error: a result, once it is clear that the others fare better."""
        self.objections.append((ask, failure))
        self._keep_objections()
        alike = [one for _, one in self.objections if one.kind == failure.kind]
        self.stopped |= len(alike) >= OBJECTIONS[failure.end]

    def _keep_objections(self, *, at_the_end: bool = False) -> None:
        settled = [pair for pair in self.objections if self._is_of_the_prompt(pair[1], at_the_end=at_the_end)]
        for ask, failure in settled:
            answer = objection(failure, self.settings)
            self.journal.append(answer_row(ask.key, answer, kind=ask.kind, payee=self.settings.group))
            self.answers[ask.key] = answer
            self.advance(1)
        self.objections = [pair for pair in self.objections if pair not in settled]
        if at_the_end:
            for ask, failure in self.objections:
                self.failures[f"{failure.cause}, of {ask.prompt[:60]!r}"] += 1

    def _is_of_the_prompt(self, failure: Failure, *, at_the_end: bool) -> bool:
        """Whether an error concerns one prompt: others were answered, or a filter says so of some and none is left.

        A 403 in other words may be of a key that was taken away since an earlier run.
        """
        if self.answered or (self.earlier and failure.status != 403):
            return True
        return failure.end == BLOCKED and (self.earlier or (at_the_end and not self.stopped))

    def _until_due(self) -> float | None:
        """Seconds to the next ask that is to be asked again; None where none is."""
        due = [max(self._delayed[0][0], self._pause_until)] if self._delayed else []
        due += [self._pause_until] if self.waiting and self._pause_until > monotonic() else []
        return max(0.01, min(due) - monotonic()) if due and not self.stopped else None

    def _may_go_on(self) -> bool:
        """With nothing in flight: wait for what is due, or for what other processes hold; False where neither is."""
        if self.stopped:
            return False
        if (due := self._until_due()) is not None:
            sleep(min(due, 1.0))
            return True
        if self.waiting and self.budget.others_hold(self.waiting[0]):
            sleep(LOOK_S * (0.5 + random()))  # not in step with the others
            return True
        return False
