"""Where what was replaced is kept: replaced-<n> beside what took its place; nothing is deleted."""

import re
from pathlib import Path

_SET_ASIDE = re.compile(r"(replaced|damaged)-(\d{1,6})(-checkpoint-\d+)?")  # damaged-<n> is what older folders have


def is_set_aside(path: Path) -> bool:
    """Whether a folder holds what was replaced; what a user named may only begin alike, as damaged-1-5c2f0a1e."""
    return _SET_ASIDE.fullmatch(path.name) is not None


def next_aside(folder: Path, suffix: str = "") -> Path:
    """A path that is free for what is replaced: replaced-<n>, one more than the highest there, gaps or not."""
    numbers = [int(match[2]) for path in folder.glob("*") if (match := _SET_ASIDE.fullmatch(path.name))]
    return folder / f"replaced-{1 + max(numbers, default=0)}{suffix}"
