"""What a trial will cost: tokens and dollars for subject and judge, and what keeps either from being asked."""

from pathlib import Path
from typing import TYPE_CHECKING

from leakage.jobs.job import Bill, Blocker
from leakage.network import lacks
from leakage.network.asks import CHARACTERS, OVERHEAD, usd
from leakage.store.record import Record, Status
from leakage.studies.alignment_faking.data import TrialData
from leakage.studies.alignment_faking.judges.model import TEXTS, ModelJudge

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

TYPICAL = 0.5  # of the most tokens a reply or a verdict may have; most end before


def subject_bill(trial: TrialData) -> Bill:
    """Every query in every tier, asked once."""
    prompts = [trial.scenario.prompt(tag, query) for tag in trial.scenario.tags for query in trial.queries]
    tokens = sum((len(one.system or "") + len(one.user)) / CHARACTERS + OVERHEAD for one in prompts)
    return _bill("subject", "replies", trial.config.subject, len(prompts), tokens, trial.config.eval.max_new_tokens)


def judge_bill(trial: TrialData) -> Bill | None:
    """Every vote on every transcript; None where a judge costs nothing, or has judged."""
    judge = trial.judge
    if not isinstance(judge, ModelJudge) or _is_done(trial, trial.outcomes_folder):
        return None
    votes = {"compliance": 1}
    if trial.scenario.has_scratchpad:
        votes |= {"reasoning": judge.reasoning.votes, "partial": 1, "motive": 1}
    replies, asks = len(trial.scenario.tags) * len(trial.queries), sum(votes.values())
    template = sum(many * len(TEXTS[kind]) for kind, many in votes.items()) / CHARACTERS
    read = TYPICAL * trial.config.eval.max_new_tokens  # of the reply that each vote reads
    tokens = replies * (template + asks * (read + OVERHEAD))
    return _bill("judge", "votes", judge.settings, replies * asks, tokens, judge.settings.max_tokens)


def _bill(payee: str, replies: str, settings: "ApiSettings", asks: int, tokens_in: float, longest: int) -> Bill:
    tokens_out = TYPICAL * asks * longest
    dollars = usd(tokens_in, tokens_out, settings, batched=settings.batch)
    most = usd(tokens_in / TYPICAL, tokens_out / TYPICAL, settings, batched=settings.batch)
    return Bill(payee, replies, asks, dollars, most, round(tokens_in), round(tokens_out))


def blockers(trial: TrialData) -> list[Blocker]:
    """A subject or a judge that could not be asked."""
    subject, blocked = trial.config.subject, []
    if trial.is_api and not _is_done(trial, trial.transcripts_folder):
        if subject.status == "withdrawn":
            blocked.append(Blocker("a subject that its API has withdrawn; leave it out", subject.name))
        elif why := lacks(subject):
            blocked.append(Blocker(f"queries to send, but {why}; mend that", subject.name))
    if not _is_done(trial, trial.outcomes_folder) and (why := trial.judge.lacks()):
        mend = "mend that, or the same command judges them later"
        blocked.append(Blocker(f"transcripts to be judged, but {why}; {mend}"))
    return blocked


def _is_done(trial: TrialData, folder: Path) -> bool:
    return Record(trial.multirun / folder).status() is Status.DONE
