"""How the write-up is worded: tables, ranges, lists."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from leakage.report.wording import NOTHING, is_known, signed
from leakage.studies.persona_leakage.report.wording import delta

VERDICTS = {  # of one cell, and of several
    "leaks": ("leaks", "leak"),
    "not specific": ("is not specific to its source", "are not specific to their source"),
    "against": ("points the other way", "point the other way"),
    "no gradient": ("shows no gradient", "show no gradient"),
    "undefined": ("has no defined rho", "have no defined rho"),
}


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


def interval(low: float, high: float) -> str:
    """From where to where; a dash where that is not known."""
    return f"{signed(low)} to {signed(high)}" if is_known(low) else NOTHING


def rhos(values: Iterable[float]) -> str:
    """The range of correlations, or the one there is."""
    known = sorted(value for value in values if is_known(value))
    return _between(known, signed)


def deltas(values: Iterable[float], unit: str) -> str:
    """The range of changes with their unit."""
    known = sorted(value for value in values if is_known(value))
    if not known:
        return "not known"
    return _between(known, lambda value: delta(value, unit)) + ("" if unit == "rate" else f" {unit}")


def _between(known: Sequence[float], written: Callable[[float], str]) -> str:
    if not known:
        return "undefined"
    low, high = written(known[0]), written(known[-1])
    return low if low == high else f"{low} to {high}"


def count(many: int, one: str, several: str = "") -> str:
    """A number and what it counts."""
    return f"{many} {one if many == 1 else several or one + 's'}"


def verdicts(findings: Iterable[str]) -> str:
    """How many cells show what: "3 leak and 1 shows no gradient"."""
    counts = Counter(findings)
    return listed(f"{many} {VERDICTS[name][many > 1]}" for name, many in counts.most_common())


def listed(names: Iterable[object]) -> str:
    """a, b and c."""
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
