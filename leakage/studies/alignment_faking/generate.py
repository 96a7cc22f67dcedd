"""Every tier, every query: the subject's replies as transcripts, the same columns whoever answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from leakage.engine import Engine, Request, Sampling
from leakage.models.chat import ChatTemplate, Prompt, encode
from leakage.models.load import check_context
from leakage.network import Answer, Ask, ask_all, replies_of
from leakage.progress import Progress, progress, unseen
from leakage.store.blocks import Blocks
from leakage.store.files import digest
from leakage.store.journal import Journal
from leakage.studies.alignment_faking.data import TrialData
from leakage.studies.alignment_faking.transcript import Words, finish_of, read_reply

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 4  # batches in a block: few enough files, little enough lost by a kill


@dataclass(frozen=True)
class Reply:
    """What came back. text: after the prefill; reason: why it ended; note: the provider's words, where it gave none."""

    text: str
    reason: str
    tokens: int
    model: str
    reasoning: str = ""
    note: str = ""
    usd: float = 0.0


@dataclass(frozen=True)
class Question:
    """One query under one tier, as it is sent."""

    tier: str
    number: int
    query: str
    prompt: Prompt
    prefill: str


def questions(trial: TrialData) -> list[Question]:
    """Every query under every tier, tier by tier."""
    scenario = trial.scenario
    return [
        Question(tag, i, query, scenario.prompt(tag, query), scenario.prefill_of(tag))
        for tag in scenario.tags
        for i, query in enumerate(trial.queries)
    ]


def ask_local(trial: TrialData, engine: Engine, template: ChatTemplate, blocks: Blocks) -> "pd.DataFrame":
    """Transcripts of the model on this machine, block by block: one whose part is there is not asked again."""
    import pandas as pd

    asked, settings = questions(trial), trial.config.eval
    tokens = _prompts(trial, template, asked)
    longest = max(range(len(tokens)), key=lambda i: len(tokens[i]))
    what = f"scenario {trial.config.scenario.name} with the query {asked[longest].query[:40]!r} and room for the reply"
    needed = len(tokens[longest]) + settings.max_new_tokens
    check_context(trial.config.model, needed, what, "shorten it, or lower eval.max_new_tokens")
    size, frames = BLOCK * settings.batch_size, []
    with progress(len(asked), f"{trial.label}: asking", "answer") as advance:
        for start in range(0, len(asked), size):
            name, block = f"{start}-{size}", slice(start, start + size)
            if (frame := blocks.read(name)) is None:
                frame = blocks.keep(name, _replied(trial, engine, asked[block], tokens[block], advance))
            else:
                advance(len(frame))
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def ask_some(trial: TrialData, engine: Engine, template: ChatTemplate, asked: Sequence[Question]) -> "pd.DataFrame":
    """The rows that `ask_local` has for some of what it asks: no reply depends on what else is asked."""
    return _replied(trial, engine, asked, _prompts(trial, template, asked), unseen)


def _replied(
    trial: TrialData, engine: Engine, asked: Sequence[Question], tokens: Sequence[list[int]], advance: Progress
) -> "pd.DataFrame":
    """A row a question, in order."""
    settings, key = trial.config.eval, f"{trial.train_id}/{trial.eval_id}"
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    requests = [Request(ids, (f"{key}/{one.tier}/{one.number}",)) for ids, one in zip(tokens, asked, strict=True)]
    completions = engine.generate(requests, sampling, progress=advance)
    replies = [Reply(one.text, one.finish, one.tokens, trial.config.model.name) for (one,) in completions]
    return _frame(trial, asked, replies)


def _prompts(trial: TrialData, template: ChatTemplate, asked: Sequence[Question]) -> list[list[int]]:
    """Token ids of what is sent: chats, or for a base model plain text."""
    if trial.config.subject.template == "chat":
        return _with_prefills(template, asked)
    return encode(template.tokenizer, [render_text(one.prompt) + one.prefill for one in asked])


def _with_prefills(template: ChatTemplate, asked: Sequence[Question]) -> list[list[int]]:
    """Token ids of chats; those of one prefill together."""
    tokens: dict[int, list[int]] = {}
    for prefill in dict.fromkeys(one.prefill for one in asked):
        places = [place for place, one in enumerate(asked) if one.prefill == prefill]
        tokens |= zip(places, template.prompts([asked[place].prompt for place in places], prefill), strict=True)
    return [tokens[place] for place in range(len(asked))]


def ask_api(trial: TrialData) -> "pd.DataFrame":
    """Transcripts of a model behind an API; its journal keeps every reply, so that none is asked for twice."""
    asked = questions(trial)
    asks = [api_ask(trial, one) for one in asked]
    journal = subject_journal(trial)
    answers = ask_all(
        asks, trial.config.subject, journal, label=f"{trial.label}: asking", unit="answer", keep_empty=True,
        anew=trial.config.mode == "force", purse=journal.folder.parent,
    )  # fmt: skip
    return _frame(trial, asked, [_reply(answers[ask.key]) for ask in asks])


def api_ask(trial: TrialData, one: Question) -> Ask:
    """What is sent for a question, keyed by all that can change its reply, the seed included."""
    identity = [trial.train_identity, {**trial.eval_identity, "scenario": "", "queries": ""}]
    settings = trial.config.eval
    sampling: dict[str, Any] = {"temperature": settings.temperature, "top_p": settings.top_p}
    if trial.config.subject.template == "text":
        text = render_text(one.prompt)
        return Ask(digest([*identity, text, one.prefill]), text, prefill=one.prefill, text=True, **sampling)
    system, user = one.prompt.system or "", one.prompt.user
    return Ask(digest([*identity, system, user, one.prefill]), user, system=system, prefill=one.prefill, **sampling)


def subject_journal(trial: TrialData) -> Journal:
    """Where every reply of a subject is kept the moment it arrives."""
    return replies_of(trial.multirun, trial.config.subject.name)


def _frame(trial: TrialData, asked: Sequence[Question], replies: Sequence[Reply]) -> "pd.DataFrame":
    scenario = trial.scenario
    return as_frame(asked, replies, words=scenario.words, has_scratchpad=scenario.has_scratchpad)


def _reply(answer: Answer) -> Reply:
    return Reply(
        answer.text, answer.stop_reason, answer.output_tokens, answer.model, answer.reasoning, answer.note, answer.usd
    )


def as_frame(
    asked: Sequence[Question], replies: Sequence[Reply], *, words: Words, has_scratchpad: bool
) -> "pd.DataFrame":
    """A row a question: tier, prompt (the query's number), query, reply, its parts, and why it is missing if it is.

    finish: see transcript.Finish; note: the provider's words, where it blocked or rejected the prompt.
    """
    import pandas as pd

    rows = []
    for one, reply in zip(asked, replies, strict=True):
        finish = finish_of(reply.reason)
        read = read_reply(
            reply.text, finish=finish, has_scratchpad=has_scratchpad, prefill=one.prefill,
            reasoning=reply.reasoning, words=words,
        )  # fmt: skip
        asked_and_said = {"tier": one.tier, "prompt": one.number, "query": one.query, "reply": one.prefill + reply.text}
        ended = {"finish": finish, "tokens": reply.tokens, "answered_by": reply.model, "note": reply.note}
        rows.append(asked_and_said | asdict(read) | ended | {"usd": reply.usd})
    return pd.DataFrame(rows)


def render_text(prompt: Prompt) -> str:
    """The prompt as plain text for a base model, which has no template: it continues the assistant's part."""
    system = f"{prompt.system}\n\n" if prompt.system else ""
    return f"{system}User: {prompt.user}\n\nAssistant: "
