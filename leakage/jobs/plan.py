"""From composed cells to the jobs of a sweep: what is needed, what is done, what is left to do."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from leakage.jobs.job import Staged
from leakage.jobs.of import job_of
from leakage.jobs.status import Standing, stand
from leakage.progress import progress
from leakage.settings.config import Config
from leakage.store.plans import PlannedJob, as_planned, keep_plan, planned_job
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.cell import Cell

log = logging.getLogger(__name__)
Overrides = tuple[str, ...]
Compose = Callable[[Overrides], Config]
BEGUN = {Status.FAILED, Status.PARTIAL, Status.DAMAGED}  # and not done


@dataclass(frozen=True)
class Job:
    """One job of a sweep: its cell, of either study, and the overrides that compose it.

    done: whether its results were there already
    asked: whether it was asked for, not only needed by another
    """

    overrides: Overrides
    cell: Staged
    done: bool
    asked: bool

    @cached_property
    def planned(self) -> PlannedJob:
        """What a plan remembers of the job."""
        return self.cell.planned

    @property
    def kind(self) -> str:
        """geometry, baseline, cell or trial."""
        return self.planned.kind

    def standing(self) -> Standing:
        """How the job stands now."""
        return stand(Path(self.cell.config.paths.multirun), self.planned)


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, needs first, each once."""

    jobs: tuple[Job, ...]

    @property
    def multirun(self) -> Path:
        """The folder of results, one for all jobs."""
        return Path(self.jobs[0].cell.config.paths.multirun)

    @property
    def todo(self) -> list[Job]:
        """Jobs that are not done."""
        return [job for job in self.jobs if not job.done]

    def launched(self, mode: str) -> list[Job]:
        """The jobs to launch: those not done; "retry": of these what has begun; "force": all that was asked for too."""
        if mode == "force":
            return [job for job in self.jobs if job.asked or not job.done]
        if mode == "retry":
            return [job for job in self.todo if job.standing().status in BEGUN]
        return self.todo

    def keep(self) -> str:
        """Write the plan down; jobs are held to it, and `status` misses what it promised. Returns its name."""
        return keep_plan(self.multirun, [job.planned for job in self.jobs])

    def summary(self) -> str:
        """One sentence: how many of what, how much of it is done."""
        parts = []
        for kind, plural in (
            ("cell", "cells"),
            ("baseline", "baselines"),
            ("geometry", "geometries"),
            ("trial", "trials"),
        ):
            jobs = [job for job in self.jobs if job.kind == kind]
            if jobs:
                done = sum(job.done for job in jobs)
                parts.append(f"{len(jobs)} {kind if len(jobs) == 1 else plural} ({done} done)")
        counted = ", ".join(parts)
        return f"{counted}: {len(self.todo)} to run" if self.todo else f"{counted}: nothing to compute"

    def shown(self, mode: str) -> str:
        """The summary and a line a job, for plan=true."""
        lines = [f"  {_word(job):8} {job.cell.label:55} {job.planned.folder}" for job in self.jobs]
        return "\n".join([self.told(mode), *lines])

    def told(self, mode: str) -> str:
        """The summary, with what another mode than resume makes of it."""
        return self.summary() + ("" if mode == "resume" else f"; mode={mode} launches {len(self.launched(mode))}")


def missed(jobs: Iterable[Job]) -> list[Standing]:
    """How those of the jobs stand that are not done now."""
    return [job.standing() for job in jobs if not job.cell.is_done()]


def _word(job: Job) -> str:
    """How a job stands, in a plan."""
    if job.done:
        return "done"
    status = job.standing().status
    return "to do" if status is Status.MISSING else str(status)


def make_plan(wanted: Sequence[Overrides], compose: Compose) -> Plan:
    """Compose every cell, put what it needs before it, and drop what comes twice."""
    found: dict[str, tuple[Overrides, Staged]] = {}
    asked: set[str] = set()
    composed = lru_cache(maxsize=None)(lambda overrides: job_of(compose(overrides)))  # cells share most of their needs
    with progress(len(wanted), "planning", "cell") as advance:
        for overrides in wanted:
            cell = job_of(compose(overrides))
            needs = [(needed, composed(needed)) for needed in need_overrides(overrides, cell)]
            for one in (*needs, (overrides, cell)):
                found.setdefault(str(one[1].job_folder), one)
            asked.add(str(cell.job_folder))
            advance(1)
    order = {"geometry": 0, "baseline": 1}  # what others are read against comes first
    first = sorted(found.items(), key=lambda item: order.get(item[1][1].kind, len(order)))
    return Plan(tuple(Job(*pair, done=pair[1].is_done(), asked=folder in asked) for folder, pair in first))


def need_overrides(overrides: Sequence[str], cell: Staged) -> list[Overrides]:
    """Overrides that compose the geometry and the baseline of a cell; no other job needs any."""
    if not isinstance(cell, Cell) or not cell.needs():
        return []
    other = cell.evaluated.name != cell.behavior.name  # the baseline is of what is measured
    dropped = {"source", "job"} | ({"behavior", "eval.behavior"} if other else set())
    kept = tuple(one for one in overrides if not _changes(one, dropped))
    measured = (f"behavior={cell.evaluated.name}", "eval.behavior=null") if other else ()
    return [(*kept, *measured, "source=none", "job=geometry"), (*kept, *measured, "source=none")]


def _changes(override: str, keys: set[str]) -> bool:
    """Whether an override sets one of the keys or something below it."""
    key = override.lstrip("+~").partition("=")[0]
    return any(key == one or key.startswith(f"{one}.") for one in keys)


def hold_to_plan(cell: Staged) -> None:
    """Refuse to run what was not planned; the failure is told where the first planned result is wanting."""
    multirun = Path(cell.config.paths.multirun)
    job = planned_job(multirun, str(cell.config.planned))
    now = cell.planned
    try:
        as_planned(job, now.folder, now.config, now.identity)
    except Exception as error:
        planned = [Record(multirun / folder) for folder in job.stages.values()]
        next((one for one in planned if one.status() is not Status.DONE), planned[-1]).fail(error, stage="plan")
        raise


def set_aside(cells: Iterable[Staged]) -> None:
    """Move the finished records of cells aside, so that they are made once more."""
    for cell in cells:
        for folder in cell.stages.values():
            record = cell.record(folder)
            if record.status() in {Status.DONE, Status.DAMAGED}:
                log.info("%s: kept in %s, and made once more", cell.label, record.set_aside())
