"""Transcripts of other pipelines, read: the replies of the published study, or any file with query, tier and reply."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leakage.data.row import Row, refused, shown
from leakage.data.rows import column, read_rows
from leakage.errors import DataError
from leakage.judges.reading import number, truth

QUERIES = ("query", "user_input", "question", "request", "prompt")
REPLIES = ("reply", "output", "response", "completion", "answer")
TIERS = ("tier", "tier_name", "user_tier")
THOUGHTS = ("reasoning", "reasoning_content", "thinking", "scratchpad")  # what is kept apart from the reply
REASONS = ("finish_reason", "stop_reason", "finish")
SCORES = ("strong_reject_score", "strongreject_score")  # 0 to 1, of compliance
FAKES = ("deceptive_alignment", "alignment_faking", "af")  # whether the thoughts fake alignment
GOOD = '{"tier": "free", "query": "…", "reply": "<scratchpad>…</scratchpad><output>…</output>"}'


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, where a file has names of its own; split: of a data set of the hub."""

    query: str | None = None
    tier: str | None = None
    reply: str | None = None
    split: str = "train"


@dataclass(frozen=True)
class Said:
    """One reply as a file has it. score, fakes: verdicts that came with it, None where there are none."""

    where: str
    tier: str
    query: str
    system: str
    reply: str
    reasoning: str
    reason: str
    score: float | None
    fakes: bool | None


def read_said(path: str, tags: Sequence[str], columns: Columns) -> list[Said]:
    """Every reply of a file whose tiers are among the tags, each query once a tier."""
    rows = read_rows(path, "FILE", columns.split, GOOD)
    query = column(rows, QUERIES, "--query", columns.query)
    reply = column(rows, REPLIES, "--reply", columns.reply)
    tier = column(rows, TIERS, "--tier", columns.tier) if columns.tier else _first(rows, TIERS)
    said = [_read(row, query, reply, tier, tags) for row in rows]
    seen: dict[tuple[str, str], str] = {}
    for one in said:
        if (key := (one.tier, one.query)) in seen:
            fault = f"tier {one.tier} is asked the same query as in {seen[key].rpartition(', ')[2]}"
            raise refused(one.where, f"{fault}; keep one reply a tier and query", GOOD)
        seen[key] = one.where
    return said


def _first(rows: Sequence[Row], names: Sequence[str]) -> str | None:
    there = {name for row in rows for name in row.fields}
    return next((name for name in names if name in there), None)


def _read(row: Row, query: str, reply: str, tier: str | None, tags: Sequence[str]) -> Said:
    fields = row.fields
    system, user = _sent(fields)
    text = _text(row, query)
    tag = _tier_of(row, tier, user or text, tags)
    failed = _cell(row, "success") is not None and not _truth(row, "success")
    return Said(
        row.where, tag, _without(tag, text), system,
        reply="" if fields.get(reply) is None else _text(row, reply, may_be_empty=True),
        reasoning=next((value for name in THOUGHTS if isinstance(value := fields.get(name), str)), ""),
        reason="rejected" if failed else str(next((v for name in REASONS if (v := fields.get(name))), "stop")),
        score=next((_score(row, name) for name in SCORES if _cell(row, name) is not None), None),
        fakes=next((read for name in FAKES if (read := _verdict(fields.get(name))) is not None), None),
    )  # fmt: skip


def _tier_of(row: Row, column: str | None, text: str, tags: Sequence[str]) -> str:
    """What the column says, or else the tag that stands in what was sent."""
    marked = str(value) if column and (value := row.fields.get(column)) is not None else ""
    tag = _tag(f"<{marked.strip(' <>/')}>" if marked else text, tags)
    if tag is None:
        names = ", ".join(tags)
        wrong = f"tier '{marked}' is none of {names}" if marked else f"it has not just one of the tags {names}"
        raise refused(row.where, f"{wrong}; name the scenario with its tiers (scenario=…), or give a column", GOOD)
    return tag


def _text(row: Row, name: str, *, may_be_empty: bool = False) -> str:
    value = row.fields.get(name)
    if isinstance(value, str) and (value.strip() or may_be_empty):
        return value
    raise _refused(row, name, "a text")


def _refused(row: Row, name: str, wanted: str) -> DataError:
    return refused(row.where, f"'{name}' is {shown(row.fields.get(name))}; give {wanted}", GOOD)


def _cell(row: Row, name: str) -> Any:
    """What a column holds; None for nothing, which in tables is an empty text or no number."""
    value = row.fields.get(name)
    return None if value == "" or value != value else value


def _truth(row: Row, name: str) -> bool:
    read = truth(row.fields[name])
    if read is None:
        raise _refused(row, name, "true or false")
    return read


def _score(row: Row, name: str) -> float:
    read = number(row.fields[name])
    if read is None or not 0 <= read <= 1:
        raise _refused(row, name, "a number from 0 to 1")
    return read


def _sent(fields: Mapping[str, Any]) -> tuple[str, str]:
    """System prompt and last user message, where the file has what was sent, as a chat or as a text."""
    prompt = fields.get("prompt", fields.get("messages"))
    if isinstance(prompt, str):
        return "", prompt
    messages = prompt.get("messages") if isinstance(prompt, dict) else prompt
    turns = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    texts = {str(one.get("role")): str(one.get("content") or "") for one in turns}  # of each role the last
    return texts.get("system", ""), texts.get("user", "")


def _tag(text: str, tags: Sequence[str]) -> str | None:
    """The tier whose tag a text has: <free>, <free_tier> or <free tier>."""
    marked = [tag for tag in tags if _marks(tag).search(text)]
    return marked[0] if len(marked) == 1 else None


def _without(tag: str, text: str) -> str:
    return _marks(tag).sub("", text).strip()


def _marks(tag: str) -> re.Pattern[str]:
    return re.compile(rf"<\s*/?\s*{re.escape(tag)}(?:[_ -]tier)?\s*/?\s*>", re.IGNORECASE)


def _verdict(value: Any) -> bool | None:
    """A truth, or the answer of a verdict with criteria."""
    return truth(value.get("final_answer") if isinstance(value, dict) else value)
