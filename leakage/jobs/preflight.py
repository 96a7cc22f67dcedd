"""What can be known to be wrong before anything is launched: space, model, GPU memory, keys."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from leakage.errors import LeakageError, SweepError
from leakage.jobs.job import Staged
from leakage.jobs.plan import Job
from leakage.models.memory import adapter_bytes, check_reachable, refuse_small_gpus, state_bytes
from leakage.store.provenance import git_state
from leakage.store.record import Status
from leakage.store.room import as_text, lacking
from leakage.studies.persona_leakage.cell import Cell

log = logging.getLogger(__name__)
ANSWER_BYTES = 2  # a token of a completion on the disk, compressed with what stands beside it
CHECKPOINT = 3  # an optimiser keeps two numbers for every weight of an adapter


def preflight(jobs: Sequence[Job], *, refuse: bool, here: bool) -> None:
    """Look at everything that can be known, and refuse to launch where it cannot go well.

    here: whether the jobs run on this machine, whose GPUs then count
    """
    if dict(git_state())["dirty"]:
        log.warning("the code has uncommitted changes; results will say so (git dirty)")
    found = [*_models(jobs, here=here), *answerers(jobs), *_space(jobs)]
    for one in found if not refuse else ():
        log.warning("preflight: %s", one)
    if found and refuse:
        more = f"; and {len(found) - 1} more: {'; '.join(found[1:])}" if len(found) > 1 else ""
        raise SweepError(f"{found[0]}{more} (preflight=warn launches all the same)")


def _models(jobs: Sequence[Job], *, here: bool) -> Iterator[str]:
    """Each base model: whether it can be had, and fits the GPUs seen from here."""
    needed = [(job.cell.base_model, job.cell.config.device) for job in jobs]
    by_path = {(model.path, model.revision): (model, device) for model, device in needed if model}
    for model, device in by_path.values():
        try:
            check_reachable(model)
            if here and device != "cpu":
                refuse_small_gpus(model)
        except LeakageError as error:
            yield str(error)


def answerers(jobs: Sequence[Job]) -> Iterator[str]:
    """Subjects and judges that could not be asked."""
    found = [one for job in jobs for one in job.cell.lacks()]
    for lacks, count in Counter(lacks for lacks, _ in found).items():
        names = list(dict.fromkeys(name for other, name in found if other == lacks and name))
        told = f" ({', '.join(names)})" if names else ""
        yield f"{count} {'job has' if count == 1 else 'jobs have'} {lacks}{told}"


def _space(jobs: Sequence[Job]) -> Iterator[str]:
    """Whether the disk, and the user's quota on it, has room for what will be written."""
    folder = Path(jobs[0].cell.config.paths.multirun)
    while not folder.exists():
        folder = folder.parent
    needed = bytes_needed(jobs)
    if cause := lacking(folder, needed):
        yield f"about {as_text(needed)} will be written below {folder}, where {cause}; make room"


def bytes_needed(jobs: Sequence[Job]) -> int:
    """About what the jobs will write: adapters with one checkpoint in flight, completions, centroids."""
    total = largest = 0
    for cell in (job.cell for job in jobs):
        for stage, path in cell.stages.items():
            if cell.record(path).status() is Status.DONE:
                continue
            if stage == "adapter":
                adapter = adapter_bytes(cell.config.model, cell.config.lora)
                largest, total = max(largest, CHECKPOINT * adapter), total + adapter
            elif stage == "geometry":
                total += state_bytes(cell.config.model) * _centroids(cell)
            else:  # completions or transcripts; verdicts are no units of work
                total += cell.units(stage) * cell.config.eval.max_new_tokens * ANSWER_BYTES
    return total + largest


def _centroids(cell: Staged) -> int:
    """How many centroids a geometry keeps: one a persona."""
    return len(cell.personas.members) if isinstance(cell, Cell) else 0
