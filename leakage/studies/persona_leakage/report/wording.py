"""What the pages of the first study call findings, units, changes and how a persona stood."""

import re
from typing import Any

from leakage.report.wording import MINUS, NOTHING, is_known, plain, signed

FINDINGS = {  # the sign stands beside the colour, for whoever cannot tell colours apart
    "leaks": ("▲", "q < .05 in the direction of leakage, and still so given the mean delta under the other sources"),
    "not specific": ("△", "q < .05 in the direction of leakage, but not given the mean delta under the other sources"),
    "against": ("▼", "q < .05, but those more like the source changed less, or the other way"),
    "no gradient": ("○", "q is not below .05: similarity does not tell who changed"),
    "undefined": ("?", "rho has no meaning here: too few personas, or all changed alike"),
}


def leak(direction: int) -> str:
    """Which way leakage points."""
    return "up = leak" if direction > 0 else "down = leak"


def units(unit: str) -> str:
    """The unit of a delta, spelt out."""
    return {"pp": "percentage points", "rate": "share of answers", "points": "points of 100"}.get(unit, unit)


def state(row: Any, *, before: bool) -> str:
    """How a persona stood: k of n where hits are counted, the mean where scores are; a dash where nobody knows."""
    k, n, mean = (row[f"base_{name}" if before else name] for name in ("k", "n", "mean"))
    if row["measure"] == "hits":
        return f"{k:.0f} of {n:.0f}" if is_known(k) and is_known(n) else NOTHING
    return plain(mean, 1)


def level(row: Any, *, before: bool) -> float | None:
    """The same as a number, to sort by."""
    k, n, mean = (row[f"base_{name}" if before else name] for name in ("k", "n", "mean"))
    if row["measure"] != "hits":
        return float(mean) if is_known(mean) else None
    return float(k / n) if is_known(k) and n else None


def delta(value: float, unit: str) -> str:
    """A change in its unit's usual digits."""
    return signed(value, 3 if unit == "rate" else 1)


def sentence(text: str) -> str:
    """A warning as a sentence of its own; the letters of statistics stay small."""
    text = minus(text)
    first = text[:1] if text.split(" ")[0] in {"p", "q", "rho"} else text[:1].upper()
    return first + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def minus(text: str) -> str:
    """Text whose negative numbers have a real minus."""
    return re.sub(r"(?<!\w)-(?=\d)", MINUS, text)
