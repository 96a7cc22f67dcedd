"""Files of an outside result as texts, each row with where it stands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.data.rows import read_rows
from leakage.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("behavior", "source", "persona", "cosine", "delta")
GOOD = "refusal,villain,hero,0.91,0.25 under behavior,source,persona,cosine,delta"
INDEX = ("", "unnamed: 0", "index")  # what pandas puts first unless it is told not to


def read_texts(path: Path, needed: Sequence[str] = NEEDED) -> "pd.DataFrame":
    """The fields of a file as they are written, "" where there is none; column `where` names file and line."""
    import pandas as pd

    rows = read_rows(str(path), "--points", good=GOOD)
    frame = pd.DataFrame([{name.strip().lower(): _text(value) for name, value in row.fields.items()} for row in rows])
    frame = frame.drop(columns=[name for name in INDEX if name in frame]).fillna("")
    if lacking := [name for name in needed if name not in frame]:
        there = ", ".join(frame.columns)
        raise DataError(f"{path} lacks the column {', '.join(lacking)} (it has: {there}); a good line: {GOOD}")
    frame = frame.assign(where=[row.where for row in rows])
    frame = frame[(frame.drop(columns="where") != "").any(axis=1)]
    if frame.empty:
        raise DataError(f"{path} has a header and no rows; give one row per behavior, source and persona")
    return frame


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def number(text: Any) -> float:
    """What a field says; infinite where that is no number."""
    try:
        return float(text)
    except ValueError:
        return float("inf")
