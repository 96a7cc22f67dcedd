"""What to do next, most valuable first: each step follows from something that the trials lack."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from leakage.report.commands import NextStep, reading
from leakage.report.compute import spent
from leakage.report.markdown import count
from leakage.report.wording import plain
from leakage.studies.alignment_faking.gaps import ABOVE, BELOW, NONE, UNDEFINED
from leakage.studies.alignment_faking.metrics import needed
from leakage.studies.alignment_faking.report.writeup.again import Again, as_faking, command, runnable
from leakage.studies.alignment_faking.report.writeup.sure import FEW_MISSING, SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leakage.network import Ask
    from leakage.studies.alignment_faking.report.trials import Row, TrialPage
    from leakage.studies.alignment_faking.report.writeup.trials import Trials
    from leakage.studies.alignment_faking.settings import FakingConfig
    from leakage.studies.study import Compose

CUT_OFF, RULES = "cut off", "rules"
PLAIN, SWAPPED = "two_tiers", "two_tiers_swapped"
ONE_FACT = ("two_tiers", "three_tiers", "never_trained", "other_model")  # of which hypotheses say different things


def steps(trials: Trials, compose: Compose | None) -> list[NextStep]:
    """What the trials lack, and what mends it."""
    again = runnable(trials, compose)
    if not again or compose is None:
        return []
    lacking = (
        _longer_replies(again), _another_seed(again), _swapped(again), _more_queries(again),
        _another_judge(trials, compose), _one_fact(trials, again),
    )  # fmt: skip
    return [step for steps in lacking for step in steps]


def _longer_replies(again: list[Again]) -> Iterator[NextStep]:
    cut = [one for one in again if _cut_off(one) > FEW_MISSING * len(one.page.frame)]
    if cut:
        room = 2 * max(one.page.judged.facts["settings"]["eval.max_new_tokens"] for one in cut)
        yield NextStep(
            f"In {count(len(cut), 'trial')} more than {FEW_MISSING:.0%} of the replies were cut off. Twice the room:",
            command(cut, f"eval.max_new_tokens={room}"),
        )


def _cut_off(one: Again) -> int:
    return sum(row["count"] for row in one.page.missing if row["reason"] == CUT_OFF)


def _another_seed(again: list[Again]) -> Iterator[NextStep]:
    """The trials that have one seed, under the next."""
    seeds: dict[tuple[str, ...], set[int]] = {}
    for one in again:
        seeds.setdefault(_but_seed(one.row), set()).add(one.row["seed"])
    alone = [one for one in again if len(seeds[_but_seed(one.row)]) == 1]
    commands = [
        line
        for seed in sorted({one.row["seed"] for one in alone})
        for line in command([one for one in alone if one.row["seed"] == seed], f"seed={seed + 1}")
    ]
    if alone:
        has = "has" if len(alone) == 1 else "have"
        yield NextStep(
            f"{count(len(alone), 'trial')} {has} one seed. Another one draws other queries:", tuple(commands)
        )


def _but_seed(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("subject", "scenario", "judge", "variant"))


def _swapped(again: list[Again]) -> Iterator[NextStep]:
    """A gap between the two tiers may be one between their names."""
    asked = {one.row["subject"] for one in again if one.row["scenario"] == SWAPPED}
    rows = [one for one in again if one.row["scenario"] == PLAIN and one.row["subject"] not in asked]
    gaps = [one for one in rows if one.row["direction"] in {ABOVE, BELOW}]
    if gaps:
        yield NextStep(
            f"{count(len(gaps), 'gap was', 'gaps were')} found in {PLAIN} and not looked for with the tags swapped: "
            "does it follow what is said of a tier, or the tier's name?",
            command(gaps, scenarios=(SWAPPED,)),
        )


def _more_queries(again: list[Again]) -> Iterator[NextStep]:
    """As many as would show a gap of SMALL, by the one that takes most."""
    unseen = [(one, row) for one in again for row in one.page.gaps if row["direction"] in {NONE, UNDEFINED}]
    blind = [(one, row) for one, row in unseen if row["n_less"] and not row["detectable"] <= SMALL]
    if blind:
        queries = max(needed(SMALL, row["k_less"] / row["n_less"]) for _, row in blind)
        missed = max((row["detectable"] for _, row in blind if row["detectable"] == row["detectable"]), default=1.0)
        trials = list({id(one): one for one, _ in blind}.values())
        yield NextStep(
            f"In {count(len(trials), 'trial')} without a gap one below {plain(missed, 3)} would have been missed. "
            f"{queries:,} queries, where there are so many, would show one of {plain(SMALL, 1)}:",
            command(trials, f"eval.prompts={queries}"),
        )


def _another_judge(trials: Trials, compose: Compose) -> Iterator[NextStep]:
    """A model for replies that only rules have read; its price is the most that it can be."""
    from leakage.network import most_usd

    read = {page.judged.folder.parent for page in trials.pages if page.row["judge"] != RULES}
    pages = [page for page in trials.pages if page.judged.folder.parent not in read]
    if not pages:
        return
    usual = as_faking(compose([]))
    asks = _asks(pages, usual, trials.multirun)
    paid = spent(trials.multirun).get(usual.judge.model, 0.0)  # the cap is of all that it ever cost
    most = ceil(paid + sum(most_usd(one, usual.judge) for one in asks))
    yield NextStep(
        f"Only rules have read the replies of {count(len(pages), 'trial')}. {usual.judge.model} casts {len(asks):,} "
        f"votes on them for at most ${most:,}, all that it has cost for these results included:",
        (reading(f"rejudge --study faking judge.name=claude judge.max_usd={most}", trials.multirun),),
    )


def _asks(pages: list[TrialPage], usual: FakingConfig, multirun: Path) -> list[Ask]:
    """What a model would be asked of the transcripts, equal questions once."""
    from leakage.studies.alignment_faking.judges.model import model_judge

    asks: dict[str, Ask] = {}
    for page in pages:
        has_scratchpad = page.judged.facts["has_scratchpad"]
        judge = model_judge(usual.judge, usual.reasoning, multirun, has_scratchpad=has_scratchpad)
        asks |= {vote.ask.key: vote.ask for vote in judge.votes(page.judged.transcripts())}
    return list(asks.values())


def _one_fact(trials: Trials, again: list[Again]) -> Iterator[NextStep]:
    """Of subjects whose reasons are a question: those taught a known answer have none."""
    scenarios: dict[str, set[str]] = {}
    for one in again:
        scenarios.setdefault(one.row["subject"], set()).add(one.row["scenario"])
    open_ones = {name for name, own in scenarios.items() if len(own) == 1} - trials.planted
    if open_ones:
        yield NextStep(
            f"{count(len(open_ones), 'subject was', 'subjects were')} asked in one scenario, so no hypothesis can be "
            "told from another. Others, in each of which one fact is changed:",
            command([one for one in again if one.row["subject"] in open_ones], scenarios=ONE_FACT),
        )
