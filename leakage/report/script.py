"""Data for the pages: scripts that hand values over, packed, and no more of them than a report may weigh."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ATTEMPTS = 4  # to keep to a budget whose shares are estimates
WEIGHED = 10  # every tenth of a set's parts stands for all when it is weighed


def write_script(path: Path, kind: str, name: str, value: Any) -> None:
    """A script that hands one value over: pages on a file system may load scripts, and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.write_text(f"leakage.{kind}[{json.dumps(name)}]={text};\n", encoding="utf-8")


def pack(value: Any) -> str:
    """Anything JSON can hold as base64 of its deflated text; half a surrogate pair becomes a question mark."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()


def shares(sizes: Mapping[Any, int], budget: int) -> dict[Any, float]:
    """What share of each set of answers fits, so that all together keep to the budget.

    Small ones stay whole, and what they leave of their equal part goes to the others.
    """
    left, fitting = budget, {}
    waiting = sorted(sizes, key=lambda name: sizes[name])
    while waiting:
        name = waiting.pop(0)
        part = left / (len(waiting) + 1)
        fitting[name] = min(1.0, part / max(sizes[name], 1))
        left -= int(fitting[name] * sizes[name])
    return fitting
