"""From composed configs to the jobs of a sweep: what is needed, what is done, what is left to do."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from leakage.jobs.job import Job, Overrides
from leakage.jobs.status import JobStatus, job_status
from leakage.models.wheels import not_here
from leakage.progress import progress
from leakage.store.plans import PlannedJob, as_planned, keep_plan, planned_job
from leakage.store.record import Record, Status

log = logging.getLogger(__name__)
Compose = Callable[[Overrides], Job]
BEGUN = {Status.FAILED, Status.PARTIAL, Status.DAMAGED, Status.STALE}  # and not done


@dataclass(frozen=True)
class PlanJob:
    """One job of a sweep, and the overrides that compose it.

    done: whether its results were there already
    asked: whether it was asked for, not only needed by another
    """

    overrides: Overrides
    job: Job
    done: bool
    asked: bool

    @cached_property
    def planned(self) -> PlannedJob:
        """What a plan remembers of the job."""
        return self.job.planned

    @property
    def kind(self) -> str:
        """As the job's."""
        return self.job.kind

    def status(self) -> JobStatus:
        """How the job stands now."""
        return job_status(self.job.multirun, self.planned)


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, needs first, each once."""

    jobs: tuple[PlanJob, ...]

    @property
    def multirun(self) -> Path:
        """The folder of results, one for all jobs."""
        return self.jobs[0].job.multirun

    @property
    def todo(self) -> list[PlanJob]:
        """Jobs that are not done."""
        return [job for job in self.jobs if not job.done]

    def launched(self, mode: str) -> list[PlanJob]:
        """The jobs to launch: those not done; "retry": of these what has begun; "force": all that was asked for too."""
        if mode == "force":
            return [job for job in self.jobs if job.asked or not job.done]
        if mode == "retry":
            return [job for job in self.todo if job.status().status in BEGUN]
        return self.todo

    def keep(self) -> str:
        """Write the plan down; jobs are held to it, and `status` misses what it promised. Returns its name."""
        return keep_plan(self.multirun, [job.planned for job in self.jobs])

    def summary(self) -> str:
        """One sentence: how many of what, how much of it is done."""
        kinds = reversed(list(dict.fromkeys(job.kind for job in self.jobs)))  # what was asked for before what it needs
        counted = ", ".join(_counted([job for job in self.jobs if job.kind == kind]) for kind in kinds)
        return f"{counted}: {len(self.todo)} to run" if self.todo else f"{counted}: nothing to compute"

    def shown(self, mode: str) -> str:
        """The summary, a line a job, and what is to be confirmed, for plan=true."""
        lines = [f"  {_word(job):8} {job.job.label:55} {job.planned.folder}" for job in self.jobs]
        remarks = dict.fromkeys(f"  {remark}" for job in self.jobs for remark in _remarks(job.job))
        return "\n".join([self.in_words(mode), *lines, *remarks])

    def in_words(self, mode: str) -> str:
        """The summary, with what another mode than resume makes of it."""
        return self.summary() + ("" if mode == "resume" else f"; mode={mode} launches {len(self.launched(mode))}")


def _remarks(job: Job) -> list[str]:
    """What is to be confirmed of a job, and of the weights that it waits for."""
    model = job.base_model
    waits = not_here(model.path, model.revision) if model else ""
    return [*job.remarks, *([waits] if waits else [])]


def _counted(jobs: list[PlanJob]) -> str:
    kind = jobs[0].kind
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{len(jobs)} {kind if len(jobs) == 1 else plural} ({sum(job.done for job in jobs)} done)"


def _word(job: PlanJob) -> str:
    """How a job stands, in a plan."""
    if job.done:
        return "done"
    status = job.status().status
    return "to do" if status is Status.MISSING else str(status)


def missed(jobs: Iterable[PlanJob]) -> list[JobStatus]:
    """How those of the jobs stand that are not done now."""
    return [job.status() for job in jobs if not job.job.is_done()]


def make_plan(wanted: Sequence[Overrides], compose: Compose) -> Plan:
    """Compose every job, put what it needs before it, and drop what comes twice."""
    needs: dict[str, tuple[Overrides, Job]] = {}
    asked: dict[str, tuple[Overrides, Job]] = {}
    needed = lru_cache(maxsize=None)(compose)  # jobs share most of their needs
    with progress(len(wanted), "planning", "job") as advance:
        for overrides in wanted:
            job = compose(overrides)
            for one in job.needs_overrides(overrides):
                needs.setdefault(str(needed(one).folder), (one, needed(one)))
            asked.setdefault(str(job.folder), (overrides, job))
            advance(1)
    ordered = needs | {folder: pair for folder, pair in asked.items() if folder not in needs}
    return Plan(
        tuple(PlanJob(*pair, done=pair[1].is_done(), asked=folder in asked) for folder, pair in ordered.items())
    )


def hold_to_plan(job: Job) -> None:
    """Refuse to run what was not planned; the failure is told where the first planned result is wanting."""
    promised = planned_job(job.multirun, str(job.config.planned))
    now = job.planned
    try:
        as_planned(promised, now.folder, now.config, now.identity)
    except Exception as error:
        records = [Record(job.multirun / step.folder) for step in promised.steps]
        next((one for one in records if one.status() is not Status.DONE), records[-1]).fail(error, stage="plan")
        raise


def set_aside(jobs: Iterable[Job]) -> None:
    """Move the finished records of jobs aside, so that they are made once more."""
    for job in jobs:
        for step in job.steps:
            record = job.record(step.folder)
            if record.status() in {Status.DONE, Status.STALE, Status.DAMAGED}:
                log.info("%s: kept in %s, and made once more", job.label, record.set_aside())
