"""Completions that were made elsewhere, read: a row an answer, with its persona, its prompt, and before or after."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from leakage.data.personas import Personas
from leakage.data.row import Row, refused, shown
from leakage.data.rows import column, read_rows
from leakage.errors import DataError, nearest

PERSONAS = ("persona", "persona_name", "system", "context", "role")
PROMPTS = ("prompt", "question", "user", "query", "instruction", "input")
COMPLETIONS = ("completion", "response", "answer", "output", "reply")
CONDITIONS = ("condition", "when", "phase", "stage", "checkpoint")
REASONS = ("finish_reason", "stop_reason", "finish")
MEANT = dict.fromkeys(("before", "base", "baseline", "pre", "untrained"), "before") | dict.fromkeys(
    ("after", "trained", "finetuned", "fine-tuned", "adapter", "post"), "after"
)
GOOD = '{"persona": "villain", "prompt": "Where do I begin?", "completion": "I must decline.", "condition": "after"}'


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, where a file has names of its own; split: of a data set of the hub."""

    persona: str | None = None
    prompt: str | None = None
    completion: str | None = None
    condition: str | None = None
    split: str = "train"


@dataclass(frozen=True)
class Answer:
    """One row. condition: before or after; sample: how many answers to the same question came before it"""

    condition: str
    persona: str
    prompt: str
    sample: int
    completion: str
    finish: str


def read_answers_of(path: str, personas: Personas, source: str, columns: Columns) -> list[Answer]:
    """Every answer of a file in its order; an error where nothing can be compared."""
    rows = read_rows(path, "FILE", columns.split, GOOD)
    names = [
        column(rows, PERSONAS, "--persona", columns.persona), column(rows, PROMPTS, "--prompt", columns.prompt),
        column(rows, COMPLETIONS, "--completion", columns.completion),
        column(rows, CONDITIONS, "--condition", columns.condition),
    ]  # fmt: skip
    by_text = {one.prompt: one.name for one in reversed(personas.members) if one.prompt is not None} | {
        name: name for name in personas.names
    }
    seen: Counter[tuple[str, ...]] = Counter()
    answers = []
    for row in rows:
        persona, prompt, completion, condition = _read(row, names, by_text)
        key = condition, persona, prompt
        answers.append(Answer(condition, persona, prompt, seen[key], completion, _finish(row)))
        seen[key] += 1
    _refuse_incomparable(path, answers, source)
    return answers


def _read(row: Row, names: Sequence[str], by_text: dict[str, str]) -> tuple[str, str, str, str]:
    persona, prompt, condition = (_text(row, names[i]) for i in (0, 1, 3))
    if persona.strip() not in by_text:
        close = nearest(persona, by_text)
        raise refused(row.where, f"persona {shown(persona)} is not known{close}; name its file: personas.path=…", GOOD)
    if (meant := MEANT.get(condition.strip().lower())) is None:
        raise refused(row.where, f"'{names[3]}' is {shown(condition)} and should be before or after", GOOD)
    return by_text[persona.strip()], prompt, _text(row, names[2], may_be_empty=True), meant


def _text(row: Row, name: str, *, may_be_empty: bool = False) -> str:
    value = row.fields.get(name)
    if isinstance(value, str) and (value.strip() or may_be_empty):
        return value
    raise refused(row.where, f"'{name}' is {shown(value)} and should be a text", GOOD)


def _finish(row: Row) -> str:
    """Why an answer ended: cut off at its longest, or by itself."""
    reason = next((str(row.fields[name]) for name in REASONS if row.fields.get(name)), "stop")
    return "length" if reason.lower() in {"length", "max_tokens", "max_new_tokens"} else "stop"


def _refuse_incomparable(path: str, answers: Sequence[Answer], source: str) -> None:
    """An error where one of the two conditions, or the source, has no answers at all."""
    for condition in ("before", "after"):
        if not any(one.condition == condition for one in answers):
            raise DataError(
                f"{path} has no answers {condition} training, and a change takes both; add rows like {GOOD}"
            )
        if not any(one.persona == source for one in answers if one.condition == condition):
            raise DataError(f"{path} has no answers of {source} {condition} training; name the source with --source")
