"""What stands around a question: a system turn, or none; turns before it; a wrapper. Read from a row of a file."""

import json
import re
from typing import Any

from leakage.data.row import Row, refused, shown

QUESTION = "{question}"  # in a wrapper, where the question stands
GOOD = '{"name": "pirate", "prompt": "You are a pirate who sails the seven seas."}'
GOOD_TURNS = (
    '{"name": "tired", "kind": "chat", "system": null, "turns": [{"role": "user", "content": "Long day?"}, '
    '{"role": "assistant", "content": "Very."}]}'
)
GOOD_WRAPPER = '{"name": "list", "kind": "format", "system": null, "wrapper": "{question} Answer with a list."}'
PAIR = ("user", "assistant")
Turns = tuple[tuple[str, str], ...]  # role and text
Context = tuple[str | None, Turns, str]  # system turn (None = none), turns before the question, wrapper of it
BARE: Context = (None, (), "")  # the question alone


def context_row(row: Row) -> Row:
    """A row with the fields of a persona, however it says them: `system` for `prompt`, a name alone for a list."""
    fields = {name: value for name, value in row.fields.items() if value is not None}
    if isinstance(related := fields.get("related_to"), str):
        fields["related_to"] = [name for name in re.split(r"[\s,;]+", related) if name]
    if "turns" in fields:
        fields["turns"] = _turns(row.where, fields["turns"])
    if (wrapper := fields.get("wrapper")) is not None and QUESTION not in str(wrapper):
        raise refused(row.where, f"'wrapper' is {shown(wrapper)} and should have {QUESTION} in it", GOOD_WRAPPER)
    system = _system(row, fields)
    rest = {name: value for name, value in fields.items() if name not in {"system", "prompt"}}
    return Row(row.where, rest | {"prompt": system})


def in_words(system: str | None, turns: Turns = (), wrapper: str = "") -> str:
    """A context as a reader sees it, a line each turn: "(no system turn)" and "(an empty system turn)" are said."""
    first = (system or "(an empty system turn)") if isinstance(system, str) else "(no system turn)"
    asked = [f"user: {wrapper}"] if wrapper else []
    return "\n".join([first, *(f"{role}: {text}" for role, text in turns), *asked])


def _system(row: Row, fields: dict[str, Any]) -> Any:
    """The system turn, under either of its names; None where the row says that there is none."""
    if "prompt" in fields and "system" in fields:
        raise refused(row.where, "it has a 'prompt' and a 'system', which are one thing; leave one out", GOOD)
    if fields.get("prompt") == "":
        raise refused(row.where, "'prompt' is empty; write \"system\": null for no system turn, or an empty one", GOOD)
    if "prompt" in fields:
        return fields["prompt"]
    if "system" in row.fields or fields.keys() & {"turns", "wrapper"}:
        return fields.get("system")
    raise refused(row.where, "'prompt' is missing", GOOD)


def _turns(where: str, value: Any) -> Turns:
    """Turns of the user and the assistant that come before the question; in a table they may stand as JSON text."""
    listed = _parsed(value) if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(map(_is_turn, listed)):
        fault = f"'turns' is {shown(value)} and should be a list of turns, each with role and content"
        raise refused(where, fault, GOOD_TURNS)
    turns = tuple((str(turn["role"]), str(turn["content"])) for turn in listed)
    roles = [role for role, _ in turns]
    if roles != [PAIR[i % 2] for i in range(len(roles))] or len(roles) % 2:
        order = "user and assistant take turns, the user first and the assistant last"
        raise refused(where, f"the turns are {', '.join(roles)}; {order}", GOOD_TURNS)
    return turns


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else []
    except json.JSONDecodeError:
        return text


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("role", "content"))
