"""How a reply of a model that judges is read: tolerantly where it is plain what is meant, and never guessed."""

import ast
import json
import re
from collections.abc import Collection
from typing import Any

MOST = 500  # opening braces, from the end, that are looked at: no reply may take minutes
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
YES, NO = {"yes", "true", "y", "1"}, {"no", "false", "n", "0"}


def json_object(reply: str, keys: Collection[str]) -> dict[str, Any]:
    """The last JSON object in a reply that has the keys, or else some of them; empty where none can be read.

    Others may stand before and after it, in thoughts, fences or sentences. A line break in a string, a comma too many
    and Python's way of writing are read as they are meant. One that is nested too deeply is as unreadable as one that
    breaks off.
    """
    braces = [found.start() for found in re.finditer(r"\{", reply)][-MOST:]
    objects = [_object_at(reply, start) for start in reversed(braces)]
    whole = (one for one in objects if one.keys() >= set(keys))
    return next(whole, next((one for one in objects if one.keys() & set(keys)), {}))


def _object_at(reply: str, start: int) -> dict[str, Any]:
    decoder = json.JSONDecoder(strict=False)
    for text in (reply[start:], TRAILING_COMMA.sub(r"\1", reply[start:])):
        try:
            read, _ = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            continue
        return read if isinstance(read, dict) else {}
    return _python_at(reply[start:])


def _python_at(text: str) -> dict[str, Any]:
    end = text.rfind("}")
    try:
        read = ast.literal_eval(text[: end + 1]) if "'" in text else {}
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return read if isinstance(read, dict) else {}


def number(value: Any) -> float | None:
    """A number, be it written 4, 4.0 or "4"; True is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except ValueError:
        return None
    return read if abs(read) < float("inf") else None


def truth(value: Any) -> bool | None:
    """Yes or no, be it written true, "yes" or 1; None for anything else."""
    word = str(value).strip().lower().rstrip(".")
    word = {"1.0": "1", "0.0": "0"}.get(word, word)
    return True if word in YES else False if word in NO else None
