"""Questions to a model and its answers: what they cost, and what a journal holds of them."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from leakage.store.files import storable

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

CHARACTERS = 3.5  # of English in a token, about
OVERHEAD = 32  # tokens the API adds to a prompt, at most
BLOCKED: Final = "blocked"  # by a filter of the provider
REJECTED: Final = "rejected"  # by its API for another reason

Row = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """One question to the model: a key of its own, which a batch carries too, and what is sent.

    prefill: how the reply begins already; the answer's text is what comes after it
    text: all of it is one plain text that a base model continues, not a chat
    kind: what is asked, in words that another question of the same prompt has too: their replies cost about the same
    """

    key: str
    prompt: str
    system: str = ""
    prefill: str = ""
    temperature: float = 0.0
    top_p: float = 1.0
    text: bool = False
    kind: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", self.key):
            raise ValueError(f"the key {self.key!r} is not 1 to 64 letters, digits, '_' and '-'")

    @property
    def whole(self) -> str:
        """All that is sent, as one text."""
        return "\n\n".join(part for part in (self.system, self.prompt) if part) + self.prefill


@dataclass(frozen=True)
class Answer:
    """What came back, whole. A truncated, refused or blocked reply is an answer too; its stop_reason says so.

    reasoning: what the provider returned apart from the text
    note: the provider's words, where it gave no reply to this prompt: stop_reason BLOCKED or REJECTED
    """

    text: str
    stop_reason: str
    model: str
    input_tokens: int
    output_tokens: int
    usd: float
    reasoning: str = ""
    note: str = ""

    @property
    def is_objection(self) -> bool:
        """Whether the provider gave no reply."""
        return self.stop_reason in {BLOCKED, REJECTED}


def usd(tokens_in: float, tokens_out: float, settings: "ApiSettings", *, batched: bool) -> float:
    """The price of so many tokens; a batch costs half."""
    full = (tokens_in * settings.usd_input + tokens_out * settings.usd_output) / 1e6
    return full / 2 if batched else full


def estimate_usd(asks: Sequence[Ask], settings: "ApiSettings") -> float:
    """What the asks will cost, about: half of max_tokens comes back."""
    tokens = sum(len(ask.whole) / CHARACTERS + OVERHEAD for ask in asks)
    return usd(tokens, len(asks) * settings.max_tokens / 2, settings, batched=settings.batch)


def most_usd(ask: Ask, settings: "ApiSettings") -> float:
    """The most an ask can cost: no tokenizer makes more tokens of a prompt than it has bytes."""
    tokens = len(ask.whole.encode(errors="replace")) + OVERHEAD
    return usd(tokens, settings.max_tokens, settings, batched=settings.batch)


def answer_row(key: str, answer: Answer, *, kind: str, payee: str) -> Row:
    """An answer as the journal keeps it. kind: see Ask; payee: whose money it cost, in the ledger as well."""
    return {"key": key, "payee": payee, **({"kind": kind} if kind else {}), "answer": asdict(answer)}


def stored_answers(rows: Iterable[Row]) -> dict[str, Answer]:
    """The answers in a journal's rows; of several to one key one with a text, since only others are asked for anew."""
    answers: dict[str, Answer] = {}
    for row in _answered(rows):
        if row["key"] not in answers or not answers[row["key"]].text:
            answers[row["key"]] = _answer(row["answer"])
    return answers


def _answer(stored: Row) -> Answer:
    answer = Answer(**stored)
    return replace(answer, text=storable(answer.text), reasoning=storable(answer.reasoning))


def usd_before_ledgers(rows: Iterable[Row]) -> float:
    """What the answers of a journal have cost that are in no ledger: those of before there were ledgers."""
    return sum(float(row["answer"]["usd"]) for row in _answered(rows) if "payee" not in row)


def mean_usd(rows: Iterable[Row]) -> dict[str, float]:
    """What a reply to each kind of question has cost so far; rows of before there were kinds tell of none."""
    paid: dict[str, list[float]] = {}
    for row in _answered(rows):
        if kind := row.get("kind"):
            paid.setdefault(kind, []).append(row["answer"]["usd"])
    return {kind: fmean(each) for kind, each in paid.items()}


def _answered(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that are answers; batches are others."""
    names = {field.name: field.default is MISSING for field in fields(Answer)}
    needed = {name for name, is_needed in names.items() if is_needed}
    return (
        row for row in rows if isinstance(row.get("answer"), dict) and needed <= row["answer"].keys() <= names.keys()
    )


def open_batches(rows: Sequence[Row], wanted: Mapping[str, Ask]) -> dict[str, list[str]]:
    """The batches whose end no run has seen, each with those of its keys that are wanted."""
    ended: Container[str] = {row["batch"] for row in rows if row.get("ended")}
    opened = {row["batch"]: row["keys"] for row in rows if "keys" in row and row["batch"] not in ended}
    asked = {batch: [key for key in keys if key in wanted] for batch, keys in opened.items()}
    return {batch: keys for batch, keys in asked.items() if keys}


def batch_holds(rows: Iterable[Row]) -> dict[str, str]:
    """By key of an ask the name of what was set aside for it in the ledger, of every batch that was sent."""
    return {key: hold for row in rows for key, hold in row.get("holds", {}).items()}
