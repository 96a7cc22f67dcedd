"""What is asked of SLURM: how large an array may be, and which jobs it still has; never whether one succeeded."""

import getpass
import logging
import re
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from leakage.errors import SweepError
from leakage.store.journal import Journal
from leakage.store.plans import FOLDER

log = logging.getLogger(__name__)
DEFAULT_ARRAY = 1001  # SLURM's own MaxArraySize
SAY_EVERY_S = 30.0
ASK_TIMES = 3  # accounting is a little late
Item = TypeVar("Item")


@dataclass(frozen=True)
class QueuedJob:
    """A job that SLURM has not finished with. reason: why it waits."""

    id: str
    state: str
    reason: str


def max_array_size() -> int:
    """The most tasks an array may have on this cluster."""
    size = re.search(r"^MaxArraySize\s*=\s*(\d+)", _ask("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(size[1]) if size else DEFAULT_ARRAY)


def arrays(jobs: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """The jobs in arrays of at most `size`."""
    rest = iter(jobs)
    while array := list(islice(rest, size)):
        yield array


def queued() -> dict[str, QueuedJob]:
    """This user's jobs that wait or run, by id (12_3 for a task of an array)."""
    rows = _ask("squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%i|%T|%r").splitlines()
    jobs = [QueuedJob(*row.split("|", 2)) for row in rows if row.count("|") >= 2]
    return {job.id: job for job in jobs}


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError as error:
        raise SweepError(f"there is no {command[0]} here; start the sweep where SLURM is, or use another launcher "
                         "(hydra/launcher=pool or basic)") from error  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{command[0]} did not answer") from error
    if done.returncode:
        raise SlurmError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{command[0]} failed")
    return done.stdout


class SlurmError(SweepError):
    """SLURM did not answer; it may in a minute."""


class Submissions:
    """Which job folder was handed to SLURM as which job, kept beside the plans for a later start of the sweep."""

    def __init__(self, multirun: Path) -> None:
        self._journal = Journal(multirun / FOLDER / "submitted")

    def note(self, jobs: Mapping[str, str]) -> None:
        """Keep folders by job id."""
        self._journal.append({"jobs": dict(jobs)})

    def active(self) -> dict[str, str]:
        """Job ids that SLURM still has, by folder."""
        now = queued()
        noted = {id: folder for row in self._journal.rows() for id, folder in row.get("jobs", {}).items()}
        return {folder: id for id, folder in noted.items() if id in now}


def wait(ids: Collection[str]) -> None:
    """Return when SLURM has none of the jobs any more; while it does not answer, ask again."""
    started = said = monotonic()
    while True:
        try:
            left = [job for id, job in queued().items() if id in ids]
            if not left:
                return
            message = _counted(left, len(ids))
        except SlurmError as error:
            message = f"SLURM does not answer ({error}); asking again"
        if monotonic() - said >= SAY_EVERY_S:
            said = monotonic()
            log.info("%s", message)
        sleep(min(15.0, 1.0 + (monotonic() - started) / 20))


def _counted(left: Sequence[QueuedJob], of: int) -> str:
    """12 of 29 have ended, 8 running, 9 pending (Resources)."""
    states = Counter(job.state.lower() for job in left)
    reasons = sorted({job.reason for job in left if job.state == "PENDING"} - {"None", "(null)"})
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    return f"{of - len(left)} of {of} jobs have ended, {counts}" + (f" ({', '.join(reasons)})" if reasons else "")


def last_words(ids: Collection[str]) -> dict[str, str]:
    """State and exit code of jobs, as the accounting has them by now, a moment after the fact. For information only."""
    words: dict[str, str] = {}
    question = ["sacct", "-X", "-n", "-P", "-o", "JobID,State,ExitCode", "-j", ",".join(sorted(ids))]
    for _ in range(ASK_TIMES):
        try:
            rows = _ask(*question).splitlines()
        except SweepError:
            return {}
        columns = (row.split("|") for row in rows if row.count("|") == 2)
        words = {id: f"{state}, exit {code}" for id, state, code in columns if state not in {"RUNNING", "PENDING"}}
        if words.keys() >= set(ids):
            break
        sleep(1.0)
    return words
