"""What pages are made of: the rows of tables, and names for the pages' files."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

LONGEST = 120  # characters of a page's name; file systems take 255 bytes


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each by its columns' names."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def told_apart(names: list[str], keys: Sequence[Any]) -> list[str]:
    """The names, with a digest of what it stands for after each that is there twice, upper and lower case as one."""
    counts = Counter(name.lower() for name in names)
    return [
        name if counts[name.lower()] == 1 else f"{name}-{sha256(repr(key).encode()).hexdigest()[:8]}"
        for name, key in zip(names, keys, strict=True)
    ]


def page_name(*parts: str) -> str:
    """A file's name made of parts that may hold anything; what is too long is cut, and ends in a digest of itself."""
    name = "-".join(re.sub(r"[^\w.]+", "_", part) for part in parts if part)
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{sha256(name.encode()).hexdigest()[:8]}"
