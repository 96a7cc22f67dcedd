"""Claims: who is filling a folder now and how far they are; what a killed process leaves behind is taken over.

A claim is a file `.claim-<n>` in the folder; the highest n counts. It is made with a link, which also holds on
network disks, where locks often do not. Nobody deletes another's claim: a dead one is outbid with n + 1, and of two
who try only one succeeds.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread, get_ident
from time import monotonic, sleep, time

from pydantic import BaseModel, ConfigDict, ValidationError

from leakage.errors import StoreError
from leakage.progress import latest
from leakage.store.processes import born, job_id, machine

log = logging.getLogger(__name__)
BEAT_S = 5.0  # seconds between two signs of life
LEASE_S = 120.0  # without a sign for so long, a process on another machine counts as dead
LOG_VARIABLE = "LEAKAGE_LOG"  # where a launcher sends a job's output
_PREFIX = ".claim-"
SPENT = ".spent"  # seconds of a start that was stopped, or that failed


class Claim(BaseModel):
    """Who fills a folder, and how far they are. machine and born tell a process from a later one of the same number."""

    model_config = ConfigDict(frozen=True)

    label: str
    stage: str
    host: str
    machine: str
    pid: int
    born: str
    job: str | None
    log: str | None
    since: str
    progress: str = ""
    seconds: float = 0.0  # spent on the folder, by this process and those before it

    def is_own(self) -> bool:
        """Whether it is of the process that asks."""
        return (self.machine, self.pid) == (machine(), os.getpid())

    def where(self) -> str:
        """The process, for a message."""
        return f"{self.host}, " + (f"job {self.job}" if self.job else f"process {self.pid}")


@contextmanager
def claimed(folder: Path, *, label: str, stage: str) -> Iterator["Held"]:
    """Hold a folder alone, waiting while another living process does."""
    folder.mkdir(parents=True, exist_ok=True)
    held = Held(folder, _own_claim(label, stage))
    held.take()
    try:
        yield held
    finally:
        held.release()


class Held:
    """A claim this process holds, kept alive by a thread until it is released."""

    def __init__(self, folder: Path, claim: Claim) -> None:
        self.folder, self.claim = folder, claim
        self.number = 0
        self.waited = False
        self._earlier = 0.0  # seconds of those before
        self._since: float | None = None
        self._over = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def take(self) -> None:
        """Make the claim, as soon as nobody alive has one."""
        while not self._try():
            other = current(self.folder)
            if other and not self.waited:
                end = "" if other.machine == machine() else f", or for {LEASE_S:.0f} s without a sign of life"
                log.info("%s: waits for %s, which is at it%s", self.claim.label, other.where(), end)
            self.waited = True
            sleep(1.0)
        self._thread.start()

    def _try(self) -> bool:
        last = _last(self.folder)
        if last is not None and _is_alive(last):
            return False
        self.number = _number(last) + 1 if last else 1
        self._earlier = _seconds_spent(self.folder, last)
        try:
            with self._draft(self.claim.model_copy(update={"seconds": self._earlier})) as draft:
                os.link(draft, self._path)  # unlike an open file, a link is there with its content or not at all
        except FileExistsError:
            return False
        return self.is_held()

    @contextmanager
    def _draft(self, claim: Claim) -> Iterator[Path]:
        path = self.folder / f"{_PREFIX}{os.getpid()}-{get_ident()}.draft"
        try:
            path.write_text(claim.model_dump_json(), encoding="utf-8")
            yield path
        finally:
            path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self.folder / f"{_PREFIX}{self.number}"

    def is_held(self) -> bool:
        """Whether nobody has outbid this claim."""
        last = _last(self.folder)
        return last is not None and _number(last) == self.number

    def check(self) -> None:
        """Refuse to go on where another process has taken over; only a process that was stopped for long gets here."""
        if _last(self.folder) is None:
            raise StoreError(f"{self.folder} was emptied while this job filled it; the same command makes it again")
        if not self.is_held():
            raise StoreError(
                f"{self.folder} was taken over by another process because this one gave no sign of life for "
                f"{LEASE_S:.0f} seconds; nothing is lost, that one finishes it"
            )

    @contextmanager
    def working(self) -> Iterator[None]:
        """In this block seconds count; if it does not end well they are noted, for whoever goes on."""
        self._since = monotonic()
        note = self.folder / SPENT
        try:
            yield
            note.unlink(missing_ok=True)
        except BaseException:
            with suppress(OSError):
                note.write_text(f"{self.seconds():.1f}")
            raise

    def seconds(self) -> float:
        """Seconds of work on this folder so far, those of processes that were stopped or killed in it included."""
        return self._earlier + (monotonic() - self._since if self._since is not None else 0.0)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            going = latest()
            progress = f"{going.done} of {going.total} {going.unit}s" if going else ""
            sign = self.claim.model_copy(update={"progress": progress, "seconds": self.seconds()})
            try:
                os.utime(self._path)  # first, as it needs no space
                with self._draft(sign) as draft:
                    draft.replace(self._path)
            except OSError:
                continue  # a full disk stops the work itself

    def release(self) -> None:
        """Give the folder free; older claims, of the dead, go first."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()  # or its last beat would bring the claim back
        for path in _claims(self.folder):
            if _number(path) <= self.number:
                path.unlink(missing_ok=True)


def current(folder: Path) -> Claim | None:
    """The claim of a living process; None where nobody is at it."""
    last = _last(folder)
    return _read(last) if last is not None and _is_alive(last) else None


def abandoned(folder: Path) -> Claim | None:
    """The claim of a process that ended without a word."""
    last = _last(folder)
    return _read(last) if last is not None and not _is_alive(last) else None


def _seconds_spent(folder: Path, last: Path | None) -> float:
    """What earlier starts have spent on a folder: as the dead one's last sign of life has it, or as one that was
    stopped has noted."""
    dead = _read(last) if last is not None else None
    if dead is not None:
        return dead.seconds
    try:
        return float((folder / SPENT).read_text())
    except (OSError, ValueError):
        return 0.0


def _own_claim(label: str, stage: str) -> Claim:
    return Claim(
        label=label,
        stage=stage,
        host=socket.gethostname(),
        machine=machine(),
        pid=os.getpid(),
        born=born(os.getpid()) or "",
        job=job_id(),
        log=os.environ.get(LOG_VARIABLE),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _claims(folder: Path) -> list[Path]:
    found = [path for path in folder.glob(f"{_PREFIX}*") if path.name.removeprefix(_PREFIX).isdigit()]
    return sorted(found, key=_number)


def _last(folder: Path) -> Path | None:
    return max(_claims(folder), key=_number, default=None)


def _number(path: Path) -> int:
    return int(path.name.removeprefix(_PREFIX))


def _read(path: Path) -> Claim | None:
    try:
        return Claim.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # just made, just released or just rewritten
        return None


def _is_alive(path: Path) -> bool:
    """On this machine the process itself is asked; of another one only its last sign of life is known."""
    claim = _read(path)
    if claim is not None and claim.machine == machine():
        return born(claim.pid) == claim.born
    try:
        return abs(_disk_time(path.parent) - path.stat().st_mtime) < LEASE_S
    except OSError:
        return False


def _disk_time(folder: Path) -> float:
    """What the disk's own clock says: a file server's differs from ours."""
    try:
        with TemporaryFile(dir=folder, prefix=".clock") as stream:
            return os.fstat(stream.fileno()).st_mtime
    except OSError:
        return time()


def describe(claim: Claim) -> str:
    """How a process that ended without a word is told of."""
    how_far = f" ({claim.progress})" if claim.progress else ""
    return f"ended without a word{how_far} on {claim.where()}: killed, or out of memory"
