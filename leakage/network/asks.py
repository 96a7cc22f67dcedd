"""Questions to a model and its answers: what they cost, and what a journal holds of them."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

CHARACTERS = 3.5  # of English in a token, about
OVERHEAD = 32  # tokens the API adds to a prompt, at most

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
    """What came back, whole. A truncated or refused reply is an answer too; its stop_reason says so."""

    text: str
    stop_reason: str
    model: str
    input_tokens: int
    output_tokens: int
    usd: float


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


class Budget:
    """The cap: what is spent, in earlier runs too, and the most that what is in flight can cost."""

    def __init__(self, settings: "ApiSettings", *, spent: float = 0.0) -> None:
        self.settings = settings
        self.spent = spent
        self._held: dict[str, float] = {}
        self._in_flight = 0.0

    def hold(self, ask: Ask) -> bool:
        """Set aside the most the ask can cost; False where that could exceed the cap."""
        most = most_usd(ask, self.settings)
        if self.spent + self._in_flight + most > self.settings.max_usd:
            return False
        self._held[ask.key] = most
        self._in_flight += most
        return True

    def release(self, key: str, *, spent: float = 0.0) -> None:
        """Put back what was held for an ask, less what it did cost."""
        self._in_flight -= self._held.pop(key, 0.0)
        self.spent += spent


def answer_row(key: str, answer: Answer, *, kind: str = "") -> Row:
    """An answer as the journal keeps it; kind: see Ask."""
    return {"key": key, **({"kind": kind} if kind else {}), "answer": asdict(answer)}


def stored_answers(rows: Iterable[Row]) -> dict[str, Answer]:
    """The answers in a journal's rows."""
    return {row["key"]: Answer(**row["answer"]) for row in _answered(rows)}


def mean_usd(rows: Iterable[Row]) -> dict[str, float]:
    """What a reply to each kind of question has cost so far; rows of before there were kinds tell of none."""
    paid: dict[str, list[float]] = {}
    for row in _answered(rows):
        if kind := row.get("kind"):
            paid.setdefault(kind, []).append(row["answer"]["usd"])
    return {kind: fmean(each) for kind, each in paid.items()}


def _answered(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that are answers; batches are others."""
    names = {field.name for field in fields(Answer)}
    return (row for row in rows if isinstance(row.get("answer"), dict) and row["answer"].keys() == names)


def open_batches(rows: Sequence[Row], wanted: Mapping[str, Ask]) -> dict[str, list[str]]:
    """The batches whose end no run has seen, each with those of its keys that are wanted."""
    ended: Container[str] = {row["batch"] for row in rows if row.get("ended")}
    opened = {row["batch"]: row["keys"] for row in rows if "keys" in row and row["batch"] not in ended}
    asked = {batch: [key for key in keys if key in wanted] for batch, keys in opened.items()}
    return {batch: keys for batch, keys in asked.items() if keys}
