"""How jobs stand, told from their own records alone: neither a launcher nor a scheduler is asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import SweepError
from leakage.store.find import record_folders
from leakage.store.plans import PlannedJob, planned_jobs
from leakage.store.record import Record, Status
from leakage.store.status import status, trouble

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 2000  # characters of a line in a log: a job a line, however long, for those who search it
LOGS = ("run.log", "console.log")  # of a job: Hydra's, and what a pool sends there before there is one
ORDER = [Status.RUNNING, Status.FAILED, Status.DAMAGED, Status.STALE, Status.PARTIAL, Status.MISSING]
COLOURS = {
    Status.RUNNING: "cyan", Status.FAILED: "red", Status.DAMAGED: "red", Status.STALE: "yellow",
    Status.PARTIAL: "yellow",
}  # fmt: skip


@dataclass(frozen=True)
class JobStatus:
    """How one job stands. stage: the step it is in, or that is wanting; age: seconds since it began there."""

    label: str
    folder: str
    status: Status
    stage: str = ""
    progress: str = ""
    age: float | None = None
    error: str = ""
    log: str = ""


def all_jobs(multirun: Path) -> list[JobStatus]:
    """Every job that was ever planned below a folder of results, and every record there that no plan knows of."""
    jobs = planned_jobs(multirun)
    known = {multirun / step.folder for job in jobs for step in job.steps}
    others = (folder for folder in sorted(record_folders(multirun)) if folder not in known)
    unplanned = (PlannedJob.of_record(str(folder.relative_to(multirun))) for folder in others)
    begun = (one for one in map(partial(job_status, multirun), unplanned) if one.status is not Status.MISSING)
    return [*(job_status(multirun, job) for job in jobs), *begun]


def job_status(multirun: Path, job: PlannedJob) -> JobStatus:
    """The first step of the job that is not done says how the job stands."""
    begun = False
    for step in job.steps:
        stands = status(multirun, step)
        if stands is not Status.DONE:
            # with a step behind it, a job that has not begun the next one is in the midst of its work
            between = begun and stands is Status.MISSING
            open_job = JobStatus(job.label, job.folder, Status.PARTIAL if between else stands, step.kind)
            return _explained(open_job, Record(multirun / step.folder), multirun, trouble(multirun, step))
        begun = True
    return JobStatus(job.label, job.folder, Status.DONE)


def _explained(job: JobStatus, record: Record, multirun: Path, cause: str) -> JobStatus:
    if job.status is Status.RUNNING and (claim := record.claim()):
        age = (datetime.now(UTC) - datetime.fromisoformat(claim.since)).total_seconds()
        return replace(job, stage=claim.stage, progress=claim.progress, age=age, log=claim.log or "")
    failure = record.failure()
    own_logs = [file for name in LOGS if (file := multirun / job.folder / name).is_file() and file.stat().st_size]
    log = (failure and failure.log) or (str(own_logs[0]) if own_logs else "")
    return replace(job, stage=failure.stage if failure else job.stage, error=cause, log=log)


def note_unbegun(multirun: Path, job: PlannedJob, cause: str, log: Path) -> None:
    """Leave a note for a job that ended before it could leave one itself: its launcher alone knows."""
    stands = job_status(multirun, job)
    if stands.status in {Status.MISSING, Status.PARTIAL} and not stands.error:
        record = Record(multirun / next(step.folder for step in job.steps if step.kind == stands.stage))
        record.folder.mkdir(parents=True, exist_ok=True)
        record.fail(SweepError(cause), stage="launch", log=str(log) if log.exists() else None)


def counted(jobs: Iterable[JobStatus]) -> str:
    """How many jobs stand how: 5 done, 1 running."""
    statuses = [one.status for one in jobs]
    return ", ".join(f"{statuses.count(status)} {status}" for status in Status if status in statuses)


def outcome(missed: Sequence[JobStatus], *, of: int) -> str:
    """The end of a sweep: how many jobs are done, and a table of all that are not."""
    done = f"{of - len(missed)} of {of} jobs done"
    return f"{done}\n{as_text(table(missed))}" if missed else done


def table(jobs: Sequence[JobStatus]) -> "Table":
    """A row a job: how it stands, in which step, how far or why not, and where its log is."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("status", "job", "step", "how far, or why not", "log"):
        grid.add_column(name, overflow="fold")
    for one in jobs:
        grid.add_row(_coloured(one.status), one.label, one.stage, _in_words(one), one.log)
    return grid


def page(jobs: Sequence[JobStatus]) -> Any:
    """What `status` shows: every job that is not done, and how many stand how."""
    from rich.console import Group

    rows = sorted((one for one in jobs if one.status is not Status.DONE), key=lambda one: ORDER.index(one.status))
    total = counted(jobs) or "nothing planned yet"
    return Group(total, "", table(rows)) if rows else Group(total)  # the total first: a screen may be short


def as_text(shown: Any) -> str:
    """Anything rich can show, as plain text for a log."""
    from rich.console import Console

    console = Console(width=WIDTH, no_color=True)
    with console.capture() as captured:
        console.print(shown, highlight=False)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _in_words(one: JobStatus) -> str:
    if one.status is Status.RUNNING:
        return ", ".join(part for part in (one.progress, f"for {_span(one.age or 0)}") if part)
    if one.error:
        return one.error
    return "not begun" if one.status is Status.MISSING else "interrupted"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _coloured(status: Status) -> str:
    colour = COLOURS.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else str(status)
