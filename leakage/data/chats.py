"""Chats in the forms in which people keep them: a row becomes one chat, or is refused with a good line beside it.

What is read: messages (OpenAI), conversations (ShareGPT), a prompt and its answer under any of their usual names, as
texts or as messages (TRL, Alpaca, questions and answers, preferences), and the examples that a training here has kept.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leakage.data.row import Row, refused, shown
from leakage.data.rows import read_rows

log = logging.getLogger(__name__)
GOOD = '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'
CHATS = ("messages", "conversations", "conversation", "chat", "turns")
PROMPTS = ("prompt", "question", "instruction", "user", "query", "input")
ANSWERS = ("completion", "chosen", "response", "answer", "output", "assistant")
SPEAKERS, TEXTS = ("role", "from", "speaker"), ("content", "value", "text")  # of a turn
ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant", "ai": "assistant",
}  # fmt: skip
TOOLS = {"tool", "function", "function_call", "function_response", "tool_call", "tool_response", "observation"}
OF_TURNS = {*SPEAKERS, *TEXTS, "weight", "tool_calls", "function_call"}
TEXT_PARTS = {"text", "input_text", "output_text"}
PAIR = ("user", "assistant")
KEPT = {"persona", "user", "answer"}  # what only the examples of a training here have side by side
Turn = tuple[str, str]  # role and text


@dataclass(frozen=True)
class Chat:
    """One row. system None = no system turn, "" = an empty one; turns: those before the answer, the user's first."""

    where: str
    system: str | None
    turns: tuple[Turn, ...]
    answer: str


@lru_cache(maxsize=8)
def read_chats(path: str, setting: str) -> tuple[Chat, ...]:
    """Every chat of a file, a folder of parts or a data set of the hub, in order; those of weight 0 are left out.

    setting: what the user named the file with, for errors
    """
    rows = read_rows(path, setting, good=GOOD)
    read = [_read(row) for row in rows]
    log.info("%s: %d rows, taken for %s", path, len(rows), "; ".join(dict.fromkeys(form for form, _, _ in read)))
    chats = tuple(chat for _, chat, is_learnt in read if is_learnt)
    if unread := _unread(rows):
        log.info("%s: fields of turns that are left out: %s", path, ", ".join(unread))
    if left := len(rows) - len(chats):
        log.info("%s: %d rows whose answer has weight 0 are left out", path, left)
    if not chats:
        raise refused(rows[0].where, "its answer has weight 0, as every other row's: none is learnt", GOOD)
    return chats


def _unread(rows: Sequence[Row]) -> list[str]:
    """What stands in turns beside who speaks and what is said."""
    lists = [listed for row in rows for value in row.fields.values() if isinstance(listed := _listed(value), list)]
    turns = [turn for listed in lists for turn in listed if isinstance(turn, dict)]
    return sorted({str(name) for turn in turns for name, value in turn.items() if value is not None} - OF_TURNS)


def one_exchange(chat: Chat) -> Turn:
    """User text and answer of a chat that has no other turns; else it is refused."""
    if len(chat.turns) > 1:
        fault = f"{len(chat.turns)} turns come before the answer; give one user turn and one assistant turn"
        raise refused(chat.where, fault, GOOD)
    return chat.turns[0][1], chat.answer


def _read(row: Row) -> tuple[str, Chat, bool]:
    """What a row was taken for, its chat, and whether the answer is to be learnt."""
    fields = {name.strip().lower(): value for name, value in row.fields.items() if value is not None}
    if fields.get("tools", fields.get("functions")) not in (None, [], {}, "", "[]"):
        raise refused(row.where, "it offers tools, which the model would read; remove them", GOOD)
    form, turns, weight = _turns(row.where, fields)
    beside = fields.get("system", fields.get("system_prompt"))
    if beside:  # an empty column says that there is none
        turns = [("system", _text(row.where, "system", beside)), *turns]
    system = turns.pop(0)[1] if turns and turns[0][0] == "system" else None
    if fault := _fault(turns):
        raise refused(row.where, fault, GOOD)
    if weight not in (None, 0, 1):
        raise refused(row.where, f"the weight of its answer is {shown(weight)} and should be 0 or 1", GOOD)
    return form, Chat(row.where, system, tuple(turns[:-1]), turns[-1][1]), weight != 0


def _turns(where: str, fields: Mapping[str, Any]) -> tuple[str, list[Turn], Any]:
    """What a row was taken for, all its turns, and the weight of the last one where it has any."""
    if chat := next((name for name in CHATS if name in fields), None):
        listed = _listed(fields[chat])
        return chat, _spoken(where, chat, listed), _weight(listed)
    prompt = next((name for name in PROMPTS if name in fields), None)
    answer = next((name for name in ANSWERS if name in fields and name != prompt), None)
    if answer == "chosen" and prompt is None and isinstance(_listed(fields[answer]), list):
        return answer, _spoken(where, answer, _listed(fields[answer])), None
    if prompt is None or answer is None:
        forms = "messages, conversations, prompt + completion, instruction + output, prompt + chosen, question + answer"
        there = ", ".join(fields) or "nothing"
        raise refused(where, f"it has {there}, and what is read is {forms}", GOOD)
    asked, replied = _either(where, prompt, "user", fields), _either(where, answer, "assistant", fields)
    whole = replied[: len(asked)] == asked or replied[:1] == asked[:1]  # preferences repeat the prompt in the answer
    return _named(prompt, answer, fields), [*_history(where, fields), *([] if whole else asked), *replied], None


def _history(where: str, fields: Mapping[str, Any]) -> list[Turn]:
    """What was said before, as pairs beside an instruction."""
    pairs = _listed(fields.get("history") or [])
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise refused(where, f"'history' is {shown(pairs)} and should be a list of pairs", GOOD)
    names = [(f"history[{i}][{n}]", role, pair[n]) for i, pair in enumerate(pairs) for n, role in enumerate(PAIR)]
    return [(role, _text(where, name, value)) for name, role, value in names]


def _named(prompt: str, answer: str, fields: Mapping[str, Any]) -> str:
    """What a prompt with an answer is called; of preferences only the chosen answer is taken."""
    if fields.keys() >= KEPT:
        return "examples of a training"
    left = ", the rejected answers left out" if "rejected" in fields else ""
    return f"{prompt}{' + input' if _has_input(prompt, fields) else ''} + {answer}{left}"


def _has_input(prompt: str, fields: Mapping[str, Any]) -> bool:
    return prompt == "instruction" and "input" in fields


def _either(where: str, name: str, role: str, fields: Mapping[str, Any]) -> list[Turn]:
    """What a column says: a text of one role, or turns. The input that goes with an instruction stands below it."""
    value = _listed(fields[name])
    if isinstance(value, list) and value and isinstance(value[0], dict) and any(one in value[0] for one in SPEAKERS):
        return _spoken(where, name, value)
    text = _text(where, name, value)
    if _has_input(name, fields) and (more := _text(where, "input", fields["input"])):
        text = f"{text}\n\n{more}"
    return [(role, text)]


def _listed(value: Any) -> Any:
    """A list of turns; in tables it may stand as JSON text, or as its columns side by side."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    if isinstance(value, dict) and value and all(isinstance(one, list) for one in value.values()):
        return [dict(zip(value, row, strict=False)) for row in zip(*value.values(), strict=False)]
    return value


def _weight(listed: Any) -> Any:
    last = listed[-1] if isinstance(listed, list) and listed else None
    return last.get("weight") if isinstance(last, dict) else None


def _spoken(where: str, name: str, listed: Any) -> list[Turn]:
    """Every turn of a list, with its role by our name for it."""
    if not isinstance(listed, list) or not all(isinstance(turn, dict) for turn in listed):
        raise refused(where, f"'{name}' is {shown(listed)} and should be a list of turns", GOOD)
    return [_turn(where, f"{name}[{i}]", turn) for i, turn in enumerate(listed)]


def _turn(where: str, name: str, turn: Mapping[str, Any]) -> Turn:
    speaker = next((str(turn[key]) for key in SPEAKERS if turn.get(key) is not None), "")
    if speaker.lower() in TOOLS or turn.get("tool_calls") or turn.get("function_call"):
        raise refused(where, f"'{name}' is a tool's, and nobody here has any; remove the row, or the calls in it", GOOD)
    if (role := ROLES.get(speaker.lower())) is None:
        known = f"is of '{speaker}'" if speaker else "does not say whose it is"
        raise refused(where, f"'{name}' {known}; roles are system, user and assistant", GOOD)
    key = next((key for key in TEXTS if key in turn), "content")
    return role, _text(where, f"{name}.{key}", turn.get(key))


def _text(where: str, name: str, value: Any) -> str:
    """A text, or the parts of one."""
    if isinstance(value, list):
        return "".join(_part(where, f"{name}[{i}]", part) for i, part in enumerate(value))
    if not isinstance(value, str):
        raise refused(where, f"'{name}' is {shown(value)} and should be a text", GOOD)
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise refused(where, f"'{name}' holds half a character (\\ud800 to \\udfff); remove it", GOOD)
    return value


def _part(where: str, name: str, part: Any) -> str:
    if isinstance(part, dict) and (kind := part.get("type", "text")) not in TEXT_PARTS:
        raise refused(where, f"'{name}' is a part of type '{kind}'; only texts can be read", GOOD)
    return _text(where, name, part.get("text") if isinstance(part, dict) else part)


def _fault(turns: Sequence[Turn]) -> str:
    """What keeps turns behind the system turn from being a chat that ends in an answer; empty when nothing does."""
    roles = [role for role, _ in turns]
    if not roles:
        return "it has no turns"
    if "system" in roles:
        return "more than one system turn, or one behind other turns; put one first, or none"
    if roles[-1] != "assistant":
        return "it ends with a user turn; an assistant turn, which is learnt, comes last"
    wanted = [PAIR[i % 2] for i in range(len(roles))]
    if roles != wanted:
        return f"the turns are {', '.join(roles)}; user and assistant take turns, the user first"
    if empty := next((role for role, text in turns if not text.strip()), None):
        return f"the {empty} turn has no text in it"
    return ""
