"""Where what was replaced is kept: replaced-<n> beside what took its place; nothing is deleted."""

import re
from pathlib import Path

_SET_ASIDE = re.compile(r"(replaced|damaged)-(\d{1,6})(-.*)?")  # damaged-<n> is what older folders have


def is_set_aside(path: Path) -> bool:
    """Whether a folder holds what was replaced; a scenario or a behavior may have a name that only begins alike."""
    return _SET_ASIDE.fullmatch(path.name) is not None


def next_aside(folder: Path, suffix: str = "") -> Path:
    """A path that is free for what is replaced: replaced-<n>, one more than the highest there, gaps or not."""
    numbers = [int(match[2]) for path in folder.glob("*") if (match := _SET_ASIDE.fullmatch(path.name))]
    return folder / f"replaced-{1 + max(numbers, default=0)}{suffix}"
