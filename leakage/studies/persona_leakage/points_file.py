"""Files of an outside result as texts: CSV, JSON, JSON lines or Parquet, each row with where it stands."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("behavior", "source", "persona", "cosine", "delta")
GOOD = "behavior,source,persona,cosine,delta and below it refusal,villain,hero,0.91,0.25"


def read_texts(path: Path) -> "pd.DataFrame":
    """The fields of a file as they are written, "" where there is none; column `where` names file and line."""
    frame = _read(path).rename(columns=lambda name: str(name).strip().lower())
    frame = frame.assign(where=[f"{path}, {'row' if path.suffix != '.csv' else 'line'} {i}" for i in frame.index])
    if lacking := [name for name in NEEDED if name not in frame]:
        there = ", ".join(name for name in frame.columns if name != "where")
        mend = "separate the columns by commas" if ";" in there or "\t" in there else f"a good file begins {GOOD}"
        raise DataError(f"{path} lacks the column {', '.join(lacking)} (it has: {there}); {mend}")
    frame = frame[(frame.drop(columns="where") != "").any(axis=1)]
    if frame.empty:
        raise DataError(f"{path} has a header and no rows; give one row per behavior, source and persona")
    return frame


def _read(path: Path) -> "pd.DataFrame":
    """By its suffix; the index counts rows from 1, of a CSV lines with its header."""
    import pandas as pd

    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".json": pd.read_json,
        ".jsonl": _read_lines,
        ".parquet": pd.read_parquet,
    }
    try:
        if path.suffix not in readers:
            return _read_csv(path)
        frame = readers[path.suffix](path)
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror or 'there is no such file'}; name a file") from error
    except PermissionError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8; save it in UTF-8") from error
    except (ValueError, OSError, csv.Error) as error:  # of four parsers, each with words of its own
        kind = path.suffix.removeprefix(".").upper() or "CSV"
        raise DataError(
            f"{path} is no {kind} file: {str(error).strip().splitlines()[0]}; its columns are {', '.join(NEEDED)}"
        ) from error
    texts = frame.map(lambda value: "" if value is None or value != value else str(value).strip())
    return texts.set_axis(range(1, len(texts) + 1), axis=0)


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig")
    frame = frame.fillna("").map(str.strip)
    return frame.set_axis(range(2, len(frame) + 2), axis=0)


def _read_lines(path: Path) -> "pd.DataFrame":
    import pandas as pd

    lines: Any = pd.read_json(path, lines=True)
    frame: pd.DataFrame = lines
    return frame
