"""Markdown as the write-ups of all studies have it: tables, lists, numbered steps, text that breaks neither."""

import re
from collections.abc import Iterable, Sequence

from leakage.report.wording import NOTHING, is_known, signed

CODE = " " * 7  # inside a numbered item, from here on a line is code


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table and the empty line after it; nothing where there are no rows."""
    lines = [[_cell(one) for one in row] for row in rows]
    if not lines:
        return []
    return ["| " + " | ".join(row) + " |" for row in (list(head), ["---"] * len(head), *lines)] + [""]


def _cell(value: object) -> str:
    """In one line, with nothing in it that Markdown or HTML would take for its own."""
    return inline(str(value)).replace("|", "\\|")


def inline(text: str) -> str:
    """Text in one line in which no tag begins: names and answers may be anything."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", " ".join(text.split()))


def page(lines: Iterable[str]) -> str:
    """A whole page of its lines; of tables and code the lines stay as they are."""
    return "\n".join(one if one.startswith(("|", CODE)) else inline(one) for one in lines).rstrip() + "\n"


def interval(low: float, high: float, digits: int = 2) -> str:
    """From where to where; a dash where that is not known."""
    return f"{signed(low, digits)} to {signed(high, digits)}" if is_known(low) else NOTHING


def count(many: int, one: str, several: str = "") -> str:
    """A number and what it counts."""
    return f"{many} {one if many == 1 else several or one + 's'}"


def listed(names: Iterable[object]) -> str:
    """a, b and c."""
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
