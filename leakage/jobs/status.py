"""How jobs stand, told from their own records alone: neither a launcher nor a scheduler is asked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from leakage.errors import SweepError
from leakage.store.find import record_folders
from leakage.store.plans import PlannedJob, planned_jobs
from leakage.store.record import Record, Status

WEIGHTS = "adapter/adapter_model.safetensors"  # as peft saves them, below the adapter's folder
COMPLETIONS = "completions.parquet"
TRANSCRIPTS = "transcripts.parquet"
ANSWERS = "answers.jsonl"
_MADE_FROM = {
    "completions": ("adapter", WEIGHTS), "scores": ("completions", COMPLETIONS),
    "transcripts": ("adapter", WEIGHTS), "outcomes": ("transcripts", TRANSCRIPTS),
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """How one job stands. stage: the one it is in, or that is wanting; age: seconds since it began there."""

    label: str
    folder: str
    status: Status
    stage: str = ""
    progress: str = ""
    age: float | None = None
    error: str = ""
    log: str = ""


def standings(multirun: Path) -> list[Standing]:
    """Every job that was ever planned below a folder of results, and every record there that no plan knows of."""
    jobs = planned_jobs(multirun)
    known = {multirun / folder for job in jobs for folder in job.stages.values()}
    others = (folder for folder in sorted(record_folders(multirun)) if folder not in known)
    unplanned = (PlannedJob.of_record(str(folder.relative_to(multirun))) for folder in others)
    begun = (one for one in map(partial(stand, multirun), unplanned) if one.status is not Status.MISSING)
    return [*(stand(multirun, job) for job in jobs), *begun]


def stand(multirun: Path, job: PlannedJob) -> Standing:
    """The first record of the job that is not done says how the job stands."""
    begun = False
    for stage, folder in job.stages.items():
        record = Record(multirun / folder)
        status = record.status()
        if status is Status.DONE and not _is_current(multirun, job, stage, record):
            status = Status.DAMAGED
        if status is not Status.DONE:
            # with a stage behind it, a job that has not begun the next one is in the midst of its work
            between = begun and status is Status.MISSING
            found = Standing(job.label, job.folder, Status.PARTIAL if between else status, stage)
            return _explained(found, record, multirun / job.folder)
        begun = True
    return Standing(job.label, job.folder, Status.DONE)


def _is_current(multirun: Path, job: PlannedJob, stage: str, record: Record) -> bool:
    """Whether a record was made from the files that lie beside it now."""
    before, file = _MADE_FROM.get(stage, ("", ""))
    if before not in job.stages or record.manifest is None:
        return True
    return record.manifest.facts.get("made_from") == Record(multirun / job.stages[before]).digest_of(file)


def _explained(standing: Standing, record: Record, job_folder: Path) -> Standing:
    if standing.status is Status.RUNNING and (claim := record.claim()):
        age = (datetime.now(UTC) - datetime.fromisoformat(claim.since)).total_seconds()
        return replace(standing, stage=claim.stage, progress=claim.progress, age=age, log=claim.log or "")
    failure = record.failure()
    error = failure.error if failure else ""
    if standing.status is Status.DAMAGED:
        error = record.damage() or "it was made from other files than those beside it"
    own_log = job_folder / "run.log"
    log = (failure and failure.log) or (str(own_log) if own_log.exists() else "")
    return replace(standing, stage=failure.stage if failure else standing.stage, error=error, log=log)


def note_unbegun(multirun: Path, job: PlannedJob, cause: str, log: Path) -> None:
    """Leave a note for a job that ended before it could leave one itself: its launcher alone knows."""
    standing = stand(multirun, job)
    if standing.status in {Status.MISSING, Status.PARTIAL} and not standing.error:
        record = Record(multirun / job.stages[standing.stage])
        record.folder.mkdir(parents=True, exist_ok=True)
        record.fail(SweepError(cause), stage="launch", log=str(log) if log.exists() else None)


def counted(found: Iterable[Standing]) -> str:
    """How many jobs stand how: 5 done, 1 running."""
    statuses = [one.status for one in found]
    return ", ".join(f"{statuses.count(status)} {status}" for status in Status if status in statuses)
