"""What a trial will cost: tokens and dollars for subject and judge, and what keeps either from being asked."""

from typing import TYPE_CHECKING

from leakage.jobs.job import Bill
from leakage.network import lacks
from leakage.network.asks import CHARACTERS, OVERHEAD, usd
from leakage.store.record import Status
from leakage.studies.alignment_faking.judges.model import TEXTS, ModelJudge

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings
    from leakage.studies.alignment_faking.trial import Trial

TYPICAL = 0.5  # of the most tokens a reply or a verdict may have; most end before


def subject_bill(trial: "Trial") -> Bill:
    """Every query in every tier, asked once."""
    prompts = [trial.scenario.prompt(tag, query) for tag in trial.scenario.tags for query in trial.queries]
    tokens = sum((len(one.system or "") + len(one.user)) / CHARACTERS + OVERHEAD for one in prompts)
    return _bill("subject", trial.config.subject, len(prompts), tokens, trial.config.eval.max_new_tokens)


def judge_bill(trial: "Trial") -> Bill | None:
    """Every vote on every transcript; None where a judge costs nothing, or has judged."""
    judge = trial.judge
    if not isinstance(judge, ModelJudge) or trial.record(trial.outcomes_folder).status() is Status.DONE:
        return None
    votes = {"compliance": 1}
    if trial.scenario.has_scratchpad:
        votes |= {"reasoning": judge.reasoning.votes, "partial": 1, "motive": 1}
    replies, asks = trial.units("transcripts"), sum(votes.values())
    template = sum(many * len(TEXTS[kind]) for kind, many in votes.items()) / CHARACTERS
    read = TYPICAL * trial.config.eval.max_new_tokens  # of the reply that each vote reads
    tokens = replies * (template + asks * (read + OVERHEAD))
    return _bill("judge", judge.settings, replies * asks, tokens, judge.settings.max_tokens)


def _bill(payee: str, settings: "ApiSettings", asks: int, tokens_in: float, longest: int) -> Bill:
    tokens_out = TYPICAL * asks * longest
    dollars = usd(tokens_in, tokens_out, settings, batched=settings.batch)
    most = usd(tokens_in / TYPICAL, tokens_out / TYPICAL, settings, batched=settings.batch)
    return Bill(payee, asks, dollars, most, round(tokens_in), round(tokens_out))


def lacking(trial: "Trial") -> list[tuple[str, str]]:
    """See Staged.lacks."""
    subject, found = trial.config.subject, []
    if trial.is_api and trial.record(trial.transcripts_folder).status() is not Status.DONE:
        if subject.status == "withdrawn":
            found.append(("a subject that its API has withdrawn; leave it out", subject.name))
        elif why := lacks(subject):
            found.append((f"queries to send, but {why}; mend that", subject.name))
    if trial.record(trial.outcomes_folder).status() is not Status.DONE and (why := trial.judge.lacks()):
        found.append((f"transcripts to be judged, but {why}; mend that, or the same command judges them later", ""))
    return found
