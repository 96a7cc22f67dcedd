"""What can be known to be wrong before anything is launched: space, model, GPU memory, keys."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, LeakageError, ModelError, SweepError
from leakage.jobs.job import Job
from leakage.jobs.plan import PlanJob
from leakage.models.check import CHOICES, Probes, engine_findings
from leakage.models.fingerprint import SHIPPED
from leakage.models.memory import check_reachable, folder_of, refuse_small_gpus
from leakage.progress import waiting
from leakage.store.files import digest
from leakage.store.provenance import git_state
from leakage.store.record import Status
from leakage.store.room import as_text, lacking
from leakage.store.status import status

if TYPE_CHECKING:
    from leakage.settings.config import LoraSettings, ModelSettings

log = logging.getLogger(__name__)


def preflight(jobs: Sequence[PlanJob], *, refuse: bool, here: bool) -> None:
    """Look at everything that can be known, and refuse to launch where it cannot go well.

    here: whether the jobs run on this machine, whose GPUs then count
    """
    if dict(git_state())["dirty"]:
        log.warning("the code has uncommitted changes; results will say so (git dirty)")
    problems = [*_models(jobs, here=here), *faults(jobs), *blocked(jobs), *_space(jobs)]
    for one in problems if not refuse else ():
        log.warning("preflight: %s", one)
    if problems and refuse:
        more = f"; and {len(problems) - 1} more: {'; '.join(problems[1:])}" if len(problems) > 1 else ""
        raise SweepError(f"{problems[0]}{more} (preflight=warn launches all the same)")


def _models(jobs: Sequence[PlanJob], *, here: bool) -> Iterator[str]:
    """Each base model: whether it can be had, and fits the GPUs seen from here; and what is wrong with it."""
    needed = [(job.job.base_model, job.job.config.device) for job in jobs]
    by_path = {(model.path, model.revision): (model, device) for model, device in needed if model}
    for model, device in by_path.values():
        try:
            check_reachable(model)
            if here and device != "cpu":
                refuse_small_gpus(model)
        except LeakageError as error:
            yield str(error)
    yield from unfit([job.job for job in jobs])


def refuse_unreachable(jobs: Sequence[Job]) -> None:
    """An error where a base model cannot be had: before anything is written below the ids that it would give."""
    models = {(job.base_model.path, job.base_model.revision): job.base_model for job in jobs if job.base_model}
    for model in models.values():
        check_reachable(model)


def unfit(jobs: Sequence[Job]) -> Iterator[str]:
    """What is wrong with base models that are on this machine, their templates and the adapters on them.

    The embedded one has been looked at: a plan of it need not wait for transformers.
    """
    probes: dict[str, Probes] = {}
    first: dict[str, tuple[ModelSettings, LoraSettings]] = {}
    for job in jobs:
        model, lora = job.base_model, job.config.lora
        if model is None or (model.path.startswith(SHIPPED) and lora.targets == "all-linear"):
            continue
        key = digest([model.path, model.revision, model.template.model_dump(mode="json"), lora.model_dump(mode="json")])
        probes[key] = probes.get(key, Probes()) | job.probes
        first.setdefault(key, (model, lora))
    asked = [(job.config.eval, job.base_model) for job in jobs if job.base_model and job.kind != "geometry"]
    yield from dict.fromkeys(one for settings, model in asked for one in engine_findings(settings, model))
    for key, (model, lora) in first.items():
        if folder_of(model):
            yield from check(model, lora, probes[key])


def describe(job: Job) -> list[str]:
    """What a job's model reads and learns, a line each; an error that names everything that is wrong with it."""
    from leakage.models import load

    if (model := job.base_model) is None:
        raise ConfigError(f"{job.label} has no model on this machine to look at; name one with model=…")
    check_reachable(model)
    probes = job.probes | CHOICES
    if wrong := check(model, job.config.lora, probes):
        raise ModelError("; and ".join(wrong))
    return load.describe(model, job.config.lora, probes)


def check(model: "ModelSettings", lora: "LoraSettings", probes: Probes) -> list[str]:
    """See models.load.check, which takes seconds to import what it looks with."""
    from leakage.models import load

    with waiting(f"looking at {model.name}"):
        return load.check(model, lora, probes)


def before(jobs: Sequence[PlanJob]) -> Iterator[str]:
    """What has to be mended before a plan can be done, as far as it is known without a network."""
    yield from unfit([job.job for job in jobs])
    yield from faults(jobs)
    yield from blocked(jobs)


def faults(jobs: Sequence[PlanJob]) -> Iterator[str]:
    """What jobs themselves know would make them fail, once."""
    yield from dict.fromkeys(fault for job in jobs for fault in job.job.faults())


def blocked(jobs: Sequence[PlanJob]) -> Iterator[str]:
    """What keeps parts of jobs from being done, such as a judge without a key; alike ones counted."""
    blockers = [one for job in jobs for one in job.job.blockers()]
    for what, count in Counter(one.what for one in blockers).items():
        names = list(dict.fromkeys(one.who for one in blockers if one.what == what and one.who))
        who = f" ({', '.join(names)})" if names else ""
        yield f"{count} {'job has' if count == 1 else 'jobs have'} {what}{who}"


def _space(jobs: Sequence[PlanJob]) -> Iterator[str]:
    """Whether the disk, and the user's quota on it, has room for what will be written."""
    folder = Path(jobs[0].job.config.paths.multirun)
    while not folder.exists():
        folder = folder.parent
    needed = bytes_needed(jobs)
    if cause := lacking(folder, needed):
        yield f"about {as_text(needed)} will be written below {folder}, where {cause}; make room"


def bytes_needed(jobs: Sequence[PlanJob]) -> int:
    """About what the jobs will write: what stays of every step that is not done, and the most that passes at a time."""
    todo = {
        step.folder: step
        for job in (one.job for one in jobs)
        for step in job.steps
        if status(job.multirun, step) is not Status.DONE
    }
    spaces = [step.space() for step in todo.values()]
    return sum(one.stays for one in spaces) + max((one.passes for one in spaces), default=0)
