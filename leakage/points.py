"""An outside result: a CSV with the change and the cosine of each persona, read into the tidy frame."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.behaviors import behavior, behavior_names
from leakage.errors import DataError
from leakage.personas import read_personas
from leakage.store.results import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("behavior", "source", "persona", "cosine", "delta")
UNTOLD: dict[str, Any] = {"model": "points", "seed": 0, "judge": "", "variant": ""}
UNITS, DIRECTIONS = ("rate", "pp", "points"), (1, -1)
KEY = ["model", "behavior", "source", "seed", "judge", "variant", "persona"]


def read_points(path: Path) -> "pd.DataFrame":
    """The tidy frame of `store.results`, from a CSV with the columns behavior, source, persona, cosine, delta.

    model, seed, judge, variant, unit and leak_direction may be given as well; unit and direction are known for the
    behaviors of this project, category and prompt for its personas. Counts before and after are missing.
    """
    given = _checked(_read(path), path)
    frame = given.assign(**{name: usual for name, usual in UNTOLD.items() if name not in given})
    frame = frame.assign(**_of_behaviors(frame, path), **_of_personas(frame))
    frame["taught"], frame["design"], frame["measure"] = frame["behavior"], "published", "hits"
    frame = frame.assign(trained_negative=False, headline="given", train_id="", eval_id="", missing=0, base_missing=0)
    if (again := frame.duplicated(KEY)).any():
        row = frame[again].iloc[0]
        raise DataError(
            f"{path}: persona '{row['persona']}' stands twice under {row['behavior']} x {row['source']}; remove one, "
            "or tell the two apart with a column seed, model or variant"
        )
    return frame.reindex(columns=list(COLUMNS))


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(("behavior", "source", "persona", "model", "judge", "variant"), str)
        )
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; name a CSV file that can be read") from error
    except (ValueError, csv.Error) as error:  # pandas' own errors of parsing are ValueErrors
        raise DataError(f"{path} is no CSV file: {str(error).strip()}; its columns are {', '.join(NEEDED)}") from error
    if lacking := [name for name in NEEDED if name not in frame]:
        there = ", ".join(map(str, frame.columns))
        raise DataError(
            f"{path} lacks the column {', '.join(lacking)} (it has: {there}); needed are {', '.join(NEEDED)}"
        )
    if frame.empty:
        raise DataError(f"{path} has a header and no rows; give one row per behavior, source and persona")
    return frame


def _checked(frame: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    """Names are there, numbers are numbers; the first line that is not so is named. A delta may be missing."""
    import pandas as pd

    for name in ("behavior", "source", "persona"):
        if (bad := frame[name].isna()).any():
            raise DataError(f"{path}, line {_first(bad) + 2}: {name} is empty; fill it in or remove the line")
    numbers = {name: pd.to_numeric(frame[name], errors="coerce") for name in ("cosine", "delta")}
    for name, values in numbers.items():
        if (bad := values.isna() & frame[name].notna()).any():
            line = _first(bad)
            raise DataError(f"{path}, line {line + 2}: {name} is '{frame[name][line]}', not a number; correct it")
    if (bad := numbers["cosine"].abs() > 1 + 1e-6).any():
        line = _first(bad)
        raise DataError(f"{path}, line {line + 2}: a cosine of {frame['cosine'][line]} is outside -1 to 1; correct it")
    return frame.assign(**numbers)


def _first(bad: "pd.Series[bool]") -> int:
    """Position of the first bad row; the file's line is two more, for it counts from 1 and has a header."""
    return int(bad.to_numpy().argmax())


def _of_behaviors(frame: "pd.DataFrame", path: Path) -> dict[str, Any]:
    """unit and leak_direction, from the file or from the behaviors of that name."""
    known = {name: behavior(name) for name in frame["behavior"].unique() if name in behavior_names()}
    told = {}
    for name, allowed in (("unit", UNITS), ("leak_direction", DIRECTIONS)):
        usual = frame["behavior"].map({one: getattr(of, name) for one, of in known.items()})
        told[name] = frame[name].fillna(usual) if name in frame else usual
        if (bad := ~told[name].isin(allowed)).any():
            line, column = _first(bad), f"the column {name} ({', '.join(map(str, allowed))})"
            raise DataError(
                f"{path}, line {line + 2}: {name} of '{frame['behavior'][line]}' is not known; correct the behavior "
                f"({', '.join(behavior_names())}), or give {column}"
            )
    return told


def _of_personas(frame: "pd.DataFrame") -> dict[str, Any]:
    """What the shipped personas tell; a persona of another name belongs to the panel and to no category."""
    known = read_personas().by_name
    names, sources = frame["persona"], frame["source"]
    words = [set(one.split("_")) & set(other.split("_")) for one, other in zip(names, sources, strict=True)]
    return {
        "system": [known[name].prompt if name in known else "" for name in names],
        "category": [known[name].category if name in known else "unknown" for name in names],
        "related_to": [" ".join(known[name].related_to) if name in known else "" for name in names],
        "is_source": names == sources,
        "in_panel": [known[name].in_panel if name in known else True for name in names],
        "shares_word": [bool(both) for both in words],
    }
