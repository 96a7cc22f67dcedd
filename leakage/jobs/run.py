"""How a job runs: its steps in order, each only if it is not done."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from leakage.errors import DataError, ModelError, SweepError
from leakage.jobs.estimate import steps_to_do
from leakage.jobs.job import Job
from leakage.jobs.plan import Plan, PlanJob, hold_to_plan, set_aside
from leakage.jobs.preflight import faults, refuse_unreachable, unfit
from leakage.jobs.signals import Stopped, stopping_softly
from leakage.jobs.step import fill

log = logging.getLogger(__name__)


def run(job: Job, *, shown_by: str = "table") -> str:
    """Do one job; alone, outside a sweep, first what its result is read against. Returns the job's folder.

    shown_by: the command of `python -m leakage` that shows the result
    """
    with stopping_softly():
        if job.config.planned:
            hold_to_plan(job)
            do(job)
        else:
            do_alone(job, shown_by=shown_by)
    return str(job.folder)


def do_alone(asked: Job, *, shown_by: str) -> None:
    """A job after those its result is read against."""
    jobs = (*asked.needs(), asked)
    plan = Plan(tuple(PlanJob((), one, done=one.is_done(), asked=one is asked) for one in jobs))
    refuse_unreachable([job.job for job in plan.todo if steps_to_do([job.job])])  # another judge needs no model
    if wrong := list(unfit([job.job for job in plan.todo])):
        raise ModelError("; and ".join(wrong))
    if wrong := list(faults(plan.todo)):
        raise DataError("; and ".join(wrong))
    plan.keep()
    if asked.config.mode == "force":
        set_aside([asked])
    for need in jobs[:-1]:
        with _noted_on(asked, need):
            do(need)
    do(asked)
    log.info("results in %s", asked.record(asked.folder).folder)
    where = quote(asked.config.paths.multirun)
    log.info("look at them with: python -m leakage %s --multirun %s", shown_by, where)


@contextmanager
def _noted_on(asked: Job, need: Job) -> Iterator[None]:
    """What keeps the job that was asked for from beginning is told of that job as well."""
    try:
        yield
    except Exception as error:
        if step := asked.open_step():
            cause = SweepError(f"it was not begun, as {need.label} failed: {error}")
            asked.record(step.folder).fail(cause, stage=step.kind)
        raise


def do(job: Job) -> None:
    """Run a job; however it ends but by a kill, its records say so."""
    try:
        if job.is_done():
            log.info("%s: done already, nothing to compute", job.label)
        else:
            run_steps(job)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # a sys.exit from anywhere below is a failure to be named as well
        if (step := job.open_step()) and not (record := job.record(step.folder)).has_failed():
            record.fail(error, stage=step.kind)
        if job.config.planned:  # alone, the error is the last word anyway
            log.error("%s: failed: %s", job.label, error)
        raise


def run_steps(job: Job) -> None:
    """Fill every step in order; what a later one lacks is told before the hours that an earlier one takes."""
    for blocker in job.blockers():
        log.warning("%s has %s; what is made is kept", job.label, blocker.what)
    for step in job.steps:
        fill(job.multirun, step, label=job.label)
