"""What a sweep will cost, from what earlier jobs of the same model took; nothing is guessed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from leakage.jobs.job import Bill, Staged
from leakage.jobs.plan import Job, Plan
from leakage.store.find import find
from leakage.store.record import Manifest, Status

UNITS = {"adapter": "steps", "completions": "completions", "geometry": "prompts", "transcripts": "transcripts"}
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
    """The units of work a record took."""
    return int(manifest.facts.get(UNITS.get(manifest.kind, ""), 0))


def _units_to_do(cell: Staged) -> Iterator[tuple[str, int]]:
    """The stages a job has still to do, with their units of work."""
    for stage, folder in cell.stages.items():
        if stage in UNITS and cell.record(folder).status() is not Status.DONE:
            yield stage, cell.units(stage)


def estimate(plan: Plan) -> str:
    """Hours and US dollars for the jobs that are not done, one line each."""
    if not plan.todo:
        return "cost: nothing to compute"
    return "\n".join(filter(None, [_hours(plan), _dollars(plan.todo)]))


def _hours(plan: Plan) -> str:
    measured = measure(plan)
    seconds: dict[str, float] = defaultdict(float)
    unknown = set()
    for job in (one for one in plan.todo if one.cell.base_model):  # how long an API takes is not this machine's time
        for stage, units in _units_to_do(job.cell):
            rate = measured.rate(*job.cell.rated_as(stage))
            if rate is None:
                unknown.add(f"{stage} on {job.cell.rated_as(stage)[0]}")
            else:
                seconds[stage] += rate * units
    told = ", ".join(f"{stage} {_span(one)}" for stage, one in seconds.items())
    where = " and ".join(sorted(measured.machines))
    known = f"time: about {_span(sum(seconds.values()))} of one GPU or process ({told}), as measured on {where}"
    lacking = f"time: not measured yet for {', '.join(sorted(unknown))}; one finished job of each tells"
    return "\n".join([*([known] if seconds else []), *([lacking] if unknown else [])])


def _dollars(jobs: list[Job]) -> str:
    """A line for each payee, and their sum."""
    bills = [bill for job in jobs for bill in job.cell.bills()]
    if not bills:
        return "judge: $0"
    payees = list(dict.fromkeys(bill.payee for bill in bills))
    lines = [_charge(payee, [bill for bill in bills if bill.payee == payee]) for payee in payees]
    return "\n".join([*lines, *([f"in all: {_usd(bills).rstrip(',')}"] if len(payees) > 1 else [])])


def _charge(payee: str, bills: list[Bill]) -> str:
    tokens = sum(bill.tokens_in for bill in bills), sum(bill.tokens_out for bill in bills)
    counted = f" ({_millions(tokens[0])} tokens in, {_millions(tokens[1])} out)" if any(tokens) else ""
    what = "replies" if payee == "subject" else "verdicts" if any(tokens) else "answers"
    asks = sum(bill.asks for bill in bills)
    given = "it has judged already" if what == "answers" else "that are there already"
    return f"{payee}: {_usd(bills)} for {asks} {what}{counted}, less those {given}"


def _usd(bills: list[Bill]) -> str:
    usual, most = sum(bill.usd for bill in bills), sum(bill.most for bill in bills)
    return f"about ${usual:.2f}, at most ${most:.2f}," if most > usual else f"at most about ${usual:.2f}"


def _millions(tokens: int) -> str:
    return f"{tokens / 1e6:.1f} M" if tokens >= 1e5 else str(tokens)


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"
