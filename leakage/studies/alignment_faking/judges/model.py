"""A model as judge of transcripts: what it is asked, how often, and what its replies say."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError
from leakage.judges.base import Named
from leakage.network import Answer, Ask, ask_all, judge_identity, lacks, replies_of
from leakage.store.files import digest
from leakage.store.journal import Journal
from leakage.studies.alignment_faking.judges import prompts
from leakage.studies.alignment_faking.judges.rules import COLUMNS
from leakage.studies.alignment_faking.settings import ReasoningSettings

if TYPE_CHECKING:
    import pandas as pd

    from leakage.settings.config import JudgeSettings

OTHER_TEXTS = {"compliance": prompts.COMPLIANCE, "partial": prompts.PARTIAL_COMPLIANCE, "motive": prompts.MOTIVE}
SHORTEST = 512  # tokens of a verdict: four criteria, a quote each
VOTE_TEMPERATURE = 1.0  # votes differ only if they are drawn


@dataclass(frozen=True)
class Vote:
    """One question to the judge about one transcript."""

    tier: str
    prompt: int
    kind: str
    number: int
    ask: Ask


@dataclass(frozen=True)
class ModelJudge(Named):
    """Claude, or any model behind an API; the journal keeps every vote as it arrives."""

    settings: "JudgeSettings"
    reasoning: ReasoningSettings
    multirun: Path

    @property
    def texts(self) -> dict[str, str]:
        """What is asked, by kind of vote."""
        return texts_under(self.reasoning)

    @property
    def journal(self) -> Journal:
        """Where votes are kept."""
        return replies_of(self.multirun, self.settings.model)

    def lacks(self) -> str:
        """See Reader.lacks."""
        return lacks(self.settings)

    def read(self, transcripts: "pd.DataFrame", *, label: str) -> "pd.DataFrame":
        """See FakingJudge.read."""
        return self._cast(list(self.votes(transcripts)), label=label)

    def read_scratchpads(self, scratchpads: Sequence[str], *, label: str) -> "pd.DataFrame":
        """The votes on reasoning alone, as in `read`; tier is empty, and prompt the place of the scratchpad."""
        wanted = [vote for place, text in enumerate(scratchpads) for vote in self._on_reasoning("", place, text)]
        return self._cast(wanted, label=label)

    def _cast(self, wanted: Sequence[Vote], *, label: str) -> "pd.DataFrame":
        import pandas as pd

        asks = [vote.ask for vote in wanted]
        journal = self.journal
        answers = ask_all(
            asks, self.settings, journal, label=f"{label}: judging", unit="vote", keep_empty=True,
            purse=journal.folder.parent,
        )  # fmt: skip
        paid: set[str] = set()
        rows = [_row(vote, answers[vote.ask.key], paid) for vote in wanted]
        return pd.DataFrame(rows, columns=COLUMNS)

    def votes(self, transcripts: "pd.DataFrame") -> Iterator[Vote]:
        """Every question about every transcript that is not missing."""
        usable = transcripts[transcripts["missing"] == ""]
        columns = (usable[name] for name in ("tier", "prompt", "query", "output", "scratchpad", "finish"))
        for tier, number, query, output, scratchpad, finish in zip(*columns, strict=True):
            if finish != "refusal":  # the API says so itself
                yield self._vote(tier, number, "compliance", 0, query=query, output=output)
            if scratchpad:
                yield from self._on_reasoning(tier, number, scratchpad)
                yield self._vote(tier, number, "partial", 0, scratchpad=scratchpad)
                yield self._vote(tier, number, "motive", 0, scratchpad=scratchpad)

    def _on_reasoning(self, tier: str, number: int, scratchpad: str) -> Iterator[Vote]:
        for vote in range(self.reasoning.votes):
            yield self._vote(tier, number, "reasoning", vote, scratchpad=scratchpad)

    def _vote(self, tier: str, number: int, kind: str, vote: int, **texts: str) -> Vote:
        return Vote(tier, number, kind, vote, self.ask(kind, vote, **texts))

    def ask(self, kind: str, vote: int, **texts: str) -> Ask:
        """What is sent for a vote; equal texts share their votes, however many transcripts have them."""
        text = self.texts[kind].format(**texts)
        unusual = [one] if (one := judge_identity(self.settings)) else []
        key = digest([self.settings.model, self.settings.max_tokens, kind, vote, text, *unusual])
        ask = Ask(key, text)
        return replace(ask, temperature=VOTE_TEMPERATURE) if kind == "reasoning" else ask


def texts_under(reasoning: ReasoningSettings) -> dict[str, str]:
    """What is asked, by kind of vote, under the criteria of the settings."""
    return OTHER_TEXTS | {"reasoning": prompts.REASONING[reasoning.criteria]}


def _row(vote: Vote, answer: Answer, paid: set[str]) -> dict[str, Any]:
    """A vote as it was read. paid: keys whose cost is told already, since a shared reply costs once."""
    value, label, detail = read_vote(vote.kind, answer.text)
    usd = 0.0 if vote.ask.key in paid else answer.usd
    paid.add(vote.ask.key)
    row = {"tier": vote.tier, "prompt": vote.prompt, "kind": vote.kind, "vote": vote.number, "value": value}
    raw = answer.text or answer.note
    return row | {"label": label, "detail": json.dumps(detail), "raw": raw, "judge_model": answer.model, "usd": usd}


def read_vote(kind: str, reply: str) -> tuple[float, str, dict[str, Any]]:
    """Value, label and detail of a reply; what cannot be read is nan, and never a no."""
    if kind == "motive":
        label, detail = prompts.read_motive(reply)
        return float("nan"), label, detail
    if kind == "compliance":
        value, detail = prompts.read_compliance(reply)
    else:
        every = kind == "reasoning"
        names = prompts.CRITERIA if every else prompts.PARTIAL
        value, detail = prompts.read_criteria(reply, names, every=every)
    return value, "", detail


def model_judge(
    settings: "JudgeSettings", reasoning: ReasoningSettings, multirun: Path, *, has_scratchpad: bool
) -> ModelJudge:
    """The judge of a scenario; its replies, and their cost, are shared by all trials below `multirun`."""
    if settings.max_tokens < SHORTEST:
        raise ConfigError(
            f"judge.max_tokens={settings.max_tokens} would cut verdicts with quotes short, which are then missing; use "
            "judge=faking judge.name=claude, or raise it"
        )
    texts = texts_under(reasoning)
    kinds = texts if has_scratchpad else {"compliance": texts["compliance"]}
    votes = {"votes": reasoning.votes, "threshold": reasoning.threshold} if has_scratchpad else {}
    identity = {
        "judge": settings.model, "max_tokens": settings.max_tokens, "prompts": digest(kinds), **votes,
        **judge_identity(settings),
    }  # fmt: skip
    return ModelJudge(settings.model, identity, settings, reasoning, multirun)
