"""What a trial will cost: tokens and dollars for subject and judge, and what keeps either from being asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.jobs.job import Bill, Blocker
from leakage.network import Ask, estimate_usd, lacks, most_usd, stored_answers
from leakage.network.asks import CHARACTERS, OVERHEAD, usd
from leakage.store.record import Record, Status
from leakage.studies.alignment_faking.data import TRANSCRIPTS, TrialData
from leakage.studies.alignment_faking.generate import api_ask, questions, subject_journal
from leakage.studies.alignment_faking.judges.model import ModelJudge

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

TYPICAL = 0.5  # of the most tokens a reply or a verdict may have; most end before


def subject_bill(trial: TrialData) -> Bill:
    """Every query in every tier that has no reply yet."""
    replies = subject_journal(trial).made(stored_answers)
    asks = [ask for one in questions(trial) if (ask := api_ask(trial, one)).key not in replies]
    return _bill("subject", "replies", trial.config.subject, asks)


def judge_bill(trial: TrialData) -> Bill | None:
    """Every vote on every transcript that has not been cast; None where a judge costs nothing, or has judged."""
    judge = trial.judge
    if not isinstance(judge, ModelJudge) or _is_done(trial, trial.outcomes_folder):
        return None
    if not _is_done(trial, trial.transcripts_folder):
        return _typical(trial, judge)
    import pandas as pd

    replies = judge.journal.made(stored_answers)
    votes = judge.votes(pd.read_parquet(trial.multirun / trial.transcripts_folder / TRANSCRIPTS))
    asks = {vote.ask.key: vote.ask for vote in votes if vote.ask.key not in replies}
    return _bill("judge", "votes", judge.settings, list(asks.values()))


def _typical(trial: TrialData, judge: ModelJudge) -> Bill:
    """Votes on transcripts that are still to come, each about half as long as it may be."""
    votes = {"compliance": 1}
    if trial.scenario.has_scratchpad:
        votes |= {"reasoning": judge.reasoning.votes, "partial": 1, "motive": 1}
    replies, settings = len(trial.scenario.tags) * len(trial.queries), judge.settings
    asks, template = replies * sum(votes.values()), sum(many * len(judge.texts[kind]) for kind, many in votes.items())
    read = TYPICAL * trial.config.eval.max_new_tokens + OVERHEAD  # of the reply that each vote reads
    tokens = replies * template / CHARACTERS + asks * read, TYPICAL * asks * settings.max_tokens
    dollars = usd(*tokens, settings, batched=settings.batch)
    return Bill("judge", "votes", asks, dollars, dollars / TYPICAL, round(tokens[0]), round(tokens[1]))


def _bill(payee: str, replies: str, settings: "ApiSettings", asks: Sequence[Ask]) -> Bill:
    """As the run will tell it: about so much, and the most that is set aside for it."""
    tokens = sum(len(ask.whole) / CHARACTERS + OVERHEAD for ask in asks), TYPICAL * len(asks) * settings.max_tokens
    most = sum(most_usd(ask, settings) for ask in asks)
    dollars = estimate_usd(asks, settings)
    return Bill(payee, replies, len(asks), dollars, most, round(tokens[0]), round(tokens[1]))


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
