"""What a sweep will cost, from what earlier jobs of the same model took; nothing is guessed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from leakage.jobs.job import Bill, Job
from leakage.jobs.plan import Plan, PlanJob
from leakage.jobs.step import Step
from leakage.store.find import find
from leakage.store.manifest import Manifest
from leakage.store.record import Status
from leakage.store.status import status

PACE = ("model.dtype", "model.inference_dtype", "eval.engine", "eval.max_new_tokens")  # of an identity: unit's seconds


@dataclass(frozen=True)
class Rate:
    """Seconds a unit, of one finished record: of which behavior, and under which of the settings in PACE."""

    seconds: float
    behavior: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, seconds: float, behavior: str, identity: Mapping[str, Any]) -> "Rate":
        """As the record's identity has it."""
        return cls(seconds, behavior, {name: identity.get(name) for name in PACE})

    def others(self, identity: Mapping[str, Any]) -> list[str]:
        """Names of the settings that are others in that identity."""
        return [name for name, value in self.settings.items() if identity.get(name) != value]


@dataclass(frozen=True)
class Pace:
    """What a unit of a step's work will take. others: settings under which the nearest records were not made."""

    seconds: float
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Seconds a unit of work, by model and kind of record, as below a folder, and the machines they are of."""

    rates: Mapping[tuple[str, str], Sequence[Rate]]
    machines: frozenset[str]

    def pace(self, step: Step) -> Pace | None:
        """The median of the records that are most like the step; None where there are none of its model.

        The same settings come before the same behavior: an engine or a precision changes more than a question does.
        """
        model, behavior = step.work.rate
        alike: dict[tuple[tuple[str, ...], bool], list[float]] = defaultdict(list)
        for rate in self.rates.get((model, step.kind), ()):
            alike[tuple(rate.others(step.identity)), rate.behavior != behavior].append(rate.seconds)
        if not alike:
            return None
        nearest = min(alike, key=lambda unlike: (len(unlike[0]), unlike[1]))
        return Pace(median(alike[nearest]), nearest[0])


def measure(multirun: Path, counted_as: dict[str, str]) -> Measured:
    """Read the rates off the manifests below a folder. counted_as: by kind, the fact that counts its units."""
    rates: dict[tuple[str, str], list[Rate]] = defaultdict(list)
    machines = set()
    for one in find(multirun) if multirun.is_dir() else []:
        manifest = one.manifest if one.status is Status.DONE else None
        units = _units_done(manifest, counted_as) if manifest else 0
        if manifest and units:
            seconds = manifest.provenance["wall_seconds"] / units
            rate = Rate.of(seconds, manifest.facts.get("behavior", ""), manifest.identity)
            rates[manifest.facts["model"], manifest.kind].append(rate)
            machines.add(manifest.provenance["machine"]["device"])
    return Measured(rates, frozenset(machines))


def _units_done(manifest: Manifest, counted_as: dict[str, str]) -> int:
    """The units of work a record took."""
    return int(manifest.facts.get(counted_as.get(manifest.kind, ""), 0))


def estimate(plan: Plan) -> str:
    """Hours and US dollars for the jobs that are not done, one line each."""
    if not plan.todo:
        return "cost: nothing to compute"
    return "\n".join(filter(None, [_hours(plan), _dollars(plan.todo)]))


def _hours(plan: Plan) -> str:
    steps = steps_to_do(job.job for job in plan.todo if job.job.base_model)  # how long an API takes is not our time
    measured = measure(plan.multirun, {one.kind: one.work.counted_as for one in steps})
    seconds: dict[str, float] = defaultdict(float)
    unknown, unlike = set(), set()
    for step in steps:
        pace = measured.pace(step)
        if pace is None:
            unknown.add(f"{step.kind} on {step.work.rate[0]}")
        else:
            seconds[step.kind] += pace.seconds * step.work.units
            unlike |= {f"{step.kind} under another {name}" for name in pace.others}
    parts = ", ".join(f"{kind} {_span(one)}" for kind, one in seconds.items())
    where = ", ".join([" and ".join(sorted(measured.machines)), *sorted(unlike)])
    known = f"time: about {_span(sum(seconds.values()))} of one GPU or process ({parts}), as measured on {where}"
    lacking = f"time: not measured yet for {', '.join(sorted(unknown))}; one finished job of each tells"
    return "\n".join([*([known] if seconds else []), *([lacking] if unknown else [])])


def steps_to_do(jobs: Iterable[Job]) -> list[Step]:
    """The steps of jobs that are not done, each record once, and that take work which is counted."""
    steps = {
        step.folder: step
        for job in jobs
        for step in job.steps
        if step.work.counted_as and status(job.multirun, step) is not Status.DONE
    }
    return list(steps.values())


def _dollars(jobs: Sequence[PlanJob]) -> str:
    """A line for each payee, and their sum."""
    bills = [bill for job in jobs for bill in job.job.bills()]
    if not bills:
        return "judge: $0"
    payees = list(dict.fromkeys(bill.payee for bill in bills))
    lines = [_charge(payee, [bill for bill in bills if bill.payee == payee]) for payee in payees]
    return "\n".join([*lines, *([f"in all: {_usd(bills)}"] if len(payees) > 1 else [])])


def _charge(payee: str, bills: list[Bill]) -> str:
    """judge: up to $4.03 (2,240 completions; those already judged are not charged)."""
    tokens = sum(bill.tokens_in for bill in bills), sum(bill.tokens_out for bill in bills)
    read = f", {_millions(tokens[0])} tokens in, {_millions(tokens[1])} out" if any(tokens) else ""
    asks = f"{sum(bill.asks for bill in bills):,} {bills[0].replies}"
    return f"{payee}: {_usd(bills)} ({asks}{read}; those that are there already are not charged)"


def _usd(bills: list[Bill]) -> str:
    usual, most = sum(bill.usd for bill in bills), sum(bill.most for bill in bills)
    return f"about ${usual:,.2f}, at most ${most:,.2f}" if most > usual else f"up to ${usual:,.2f}"


def _millions(tokens: int) -> str:
    return f"{tokens / 1e6:.1f} M" if tokens >= 1e5 else str(tokens)


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"
