"""The ledger of a results folder: what a question may cost is set aside there before it is asked, by every process.

A hold is written first, and looked at afterwards together with everybody's. Of two processes that write at once both
see both, so no lock is needed; a hold that does not fit is taken back. One that nobody settled counts in full: its
process is dead, and the question may have been billed.
"""

import os
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

from leakage.store.journal import Journal, objects
from leakage.store.processes import born, machine

FOLDER = ".spending"
SLACK = 1e-9  # dollars: a sum that equals the cap on paper must not miss it by a float's last digit


@dataclass(frozen=True)
class Hold:
    """Dollars set aside for one question. until: by then (seconds since 1970) a living process has settled it."""

    payee: str
    usd: float
    machine: str
    pid: int
    born: str
    until: float

    def is_open(self) -> bool:
        """Whether its process may still settle it; of another machine only the time is known."""
        if self.machine == machine():
            return born(self.pid) == self.born
        return time() < self.until


class Ledger:
    """What the questions below a results folder have cost and may cost, by payee: judge or subject."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = Journal(folder)
        self._read: dict[Path, int] = {}  # bytes of each file
        self._holds: dict[str, Hold] = {}
        self._early: set[str] = set()  # settled, in another file than their hold's, which is still to be read
        self._settled: defaultdict[str, float] = defaultdict(float)
        self._held: defaultdict[str, float] = defaultdict(float)

    def hold(self, payee: str, usd: float, *, cap: float, wait_s: float) -> str:
        """Set dollars aside; the hold's name, empty where the cap does not allow it. wait_s: the longest to a reply."""
        name = uuid4().hex
        own = Hold(payee, usd, machine(), os.getpid(), born(os.getpid()) or "", round(time() + wait_s))
        self._journal.append({"hold": name, **vars(own)}, sync=False)
        self.read()
        if self._settled[payee] + self._held[payee] <= cap + SLACK:
            return name
        self.settle(name, payee, 0.0)
        return ""

    def settle(self, name: str, payee: str, usd: float) -> None:
        """Put a question's true price in the place of its hold, whoever held it."""
        self._journal.append({"settle": name, "payee": payee, "usd": usd}, sync=False)
        self.read()

    def spent(self, payee: str) -> float:
        """What is paid for, and what the dead left open."""
        self.read()
        return self._settled[payee] + sum(
            hold.usd for hold in self._holds.values() if hold.payee == payee and not hold.is_open()
        )

    def held(self, name: str) -> float:
        """Dollars that a hold sets aside; 0 where it is settled."""
        self.read()
        return self._holds[name].usd if name in self._holds else 0.0

    def read(self) -> None:
        """Take in what all processes have written since."""
        for path in sorted(self.folder.glob("*.jsonl")):
            start = self._read.get(path, 0)
            if path.stat().st_size > start:
                with path.open("rb") as stream:
                    stream.seek(start)
                    whole, newline, _ = stream.read().rpartition(b"\n")
                self._read[path] = start + len(whole + newline)
                for row in objects(whole):
                    self._take(row)

    def _take(self, row: dict[str, Any]) -> None:
        name = str(row.get("hold") or row.get("settle"))
        if "hold" in row:
            if name not in self._early:
                self._holds[name] = Hold(**{key: value for key, value in row.items() if key != "hold"})
                self._held[self._holds[name].payee] += self._holds[name].usd
            return
        self._settled[str(row["payee"])] += float(row["usd"])
        if name in self._holds:
            hold = self._holds.pop(name)
            self._held[hold.payee] -= hold.usd
        else:
            self._early.add(name)


def ledger_of(folder: Path) -> Ledger:
    """The ledger in a folder of replies: one a process, so that a process writes one file."""
    return _ledger_of((folder / FOLDER).absolute(), os.getpid())


@lru_cache(maxsize=16)
def _ledger_of(folder: Path, pid: int) -> Ledger:  # noqa: ARG001  # of a forked process it is another
    return Ledger(folder)
