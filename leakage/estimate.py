"""What a sweep will cost, from what earlier jobs of the same model took; nothing is guessed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from leakage.cell import Cell
from leakage.store.find import find
from leakage.store.record import Manifest, Status
from leakage.sweep import Job, Plan

Rates = dict[tuple[str, str, str], list[float]]  # seconds a unit, by model, kind and behavior


@dataclass(frozen=True)
class Measured:
    """Seconds a unit of work, as the finished records below a folder have it, and the machines they are of."""

    rates: Rates
    machines: frozenset[str]

    def rate(self, model: str, kind: str, behavior: str) -> float | None:
        """The median of the behavior's own records, else of the model's other ones; None where there are none."""
        others = [one for (of, what, _), found in self.rates.items() if (of, what) == (model, kind) for one in found]
        own = self.rates.get((model, kind, behavior)) or others
        return median(own) if own else None


def measure(plan: Plan) -> Measured:
    """Read the rates off the manifests below the plan's folder."""
    rates: Rates = defaultdict(list)
    machines = set()
    for found in find(plan.multirun) if plan.multirun.is_dir() else []:
        units = _units_done(found.manifest) if found.manifest and found.status is Status.DONE else 0
        if found.manifest and units:
            facts = found.manifest.facts
            key = facts["model"], found.manifest.kind, facts.get("behavior", "")
            rates[key].append(found.manifest.provenance["wall_seconds"] / units)
            machines.add(found.manifest.provenance["machine"]["device"])
    return Measured(rates, frozenset(machines))


def _units_done(manifest: Manifest) -> int:
    """The units of work a record took: optimiser steps, completions, prompts."""
    unit = {"adapter": "steps", "completions": "completions", "geometry": "prompts"}.get(manifest.kind, "")
    return int(manifest.facts.get(unit, 0))


def _units_to_do(cell: Cell) -> Iterator[tuple[str, int]]:
    """The stages a job has still to do, with their units of work."""
    from leakage.training.sft import step_count

    units = {
        "adapter": lambda: step_count(len(cell.examples), cell.config.train),
        "completions": lambda: answers_of(cell),
        "geometry": lambda: len(cell.personas.members) * len(cell.questions),
    }
    for stage, folder in cell.stages.items():
        if stage in units and cell.record(folder).status() is not Status.DONE:
            yield stage, units[stage]()


def answers_of(cell: Cell) -> int:
    """How many answers a cell's evaluation has."""
    samples = 1 if cell.evaluated.choices else cell.config.eval.samples
    return len(cell.personas.members) * len(cell.prompts) * samples


def estimate(plan: Plan) -> str:
    """Hours and US dollars for the jobs that are not done, one line each."""
    if not plan.todo:
        return "cost: nothing to compute"
    return "\n".join([_hours(plan), _dollars(plan.todo)])


def _hours(plan: Plan) -> str:
    measured = measure(plan)
    seconds: dict[str, float] = defaultdict(float)
    unknown = set()
    for job in plan.todo:
        model = job.cell.config.model.name
        for stage, units in _units_to_do(job.cell):
            behavior = {"adapter": job.cell.behavior.name, "completions": job.cell.evaluated.name}.get(stage, "")
            rate = measured.rate(model, stage, behavior)
            if rate is None:
                unknown.add(f"{stage} on {model}")
            else:
                seconds[stage] += rate * units
    told = ", ".join(f"{stage} {_span(one)}" for stage, one in seconds.items())
    where = " and ".join(sorted(measured.machines))
    known = f"time: about {_span(sum(seconds.values()))} of one GPU or process ({told}), as measured on {where}"
    lacking = f"time: not measured yet for {', '.join(sorted(unknown))}; one finished job of each tells"
    return "\n".join([*([known] if seconds else []), *([lacking] if unknown else [])])


def _dollars(jobs: list[Job]) -> str:
    judged = [job.cell for job in jobs if job.cell.config.job == "cell" and job.cell.judge.usd_each()]
    if not judged:
        return "judge: $0"
    answers = sum(answers_of(cell) for cell in judged)
    dollars = sum(answers_of(cell) * cell.judge.usd_each() for cell in judged)
    return f"judge: at most about ${dollars:.2f} for {answers} answers, less those it has judged already"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"
