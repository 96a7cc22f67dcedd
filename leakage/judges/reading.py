"""How a reply of a model that judges is read."""

import json
import re
from typing import Any


def json_object(reply: str) -> dict[str, Any]:
    """The JSON object in a reply, from its first brace to its last; empty where none can be read.

    One that is nested too deeply is as unreadable as one that breaks off: no reply may end a run.
    """
    braced = re.search(r"\{.*\}", reply, re.DOTALL)
    try:
        read = json.loads(braced[0]) if braced else {}
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def storable(text: str) -> str:
    """Text that a file can hold: JSON may spell half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
