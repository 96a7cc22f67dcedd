"""An outside result: a CSV with the change and the cosine of each persona, read into the tidy frame."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.data.personas import read_personas
from leakage.errors import DataError
from leakage.studies.persona_leakage.behaviors import behavior, behavior_names
from leakage.studies.persona_leakage.results import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("behavior", "source", "persona", "cosine", "delta")
UNTOLD = {"model": "points", "seed": "0", "judge": "", "variant": ""}
LARGEST = {"rate": 1, "pp": 100, "points": 100}  # what a unit can change by
DIRECTIONS = {"1": 1, "+1": 1, "-1": -1}
KEY = ["model", "behavior", "source", "seed", "judge", "variant", "persona"]


def read_points(path: Path) -> "pd.DataFrame":
    """The tidy frame of `store.results`, from a CSV with the columns behavior, source, persona, cosine, delta.

    model, seed, judge, variant, unit and leak_direction may be given as well; unit and direction are known for the
    behaviors of this project, category and prompt for its personas. Counts before and after are missing.
    """
    frame = _numbers(_read(path), path)
    frame = frame.assign(**{name: _or_usual(frame, name, usual) for name, usual in UNTOLD.items()})
    _refuse(~frame["seed"].str.fullmatch(r"\d{1,9}"), frame, path, "seed is '{seed}', no whole number; correct it")
    frame = frame.assign(seed=frame["seed"].astype(int), **_of_behaviors(frame, path)).assign(**_of_personas(frame))
    beyond = frame["delta"].abs() > frame["unit"].map(LARGEST) * (1 + 1e-6)
    _refuse(beyond, frame, path, "a delta of {delta} is more than a {unit} can change by; correct it, or the unit")
    twice = (
        "persona '{persona}' stands twice under {behavior} x {source}; remove one, or tell the two apart with a column "
    )
    _refuse(frame.duplicated(KEY), frame, path, twice + "seed, model or variant")
    frame["taught"], frame["design"], frame["measure"] = frame["behavior"], "published", "hits"
    frame = frame.assign(trained_negative=False, headline="given", train_id="", eval_id="", missing=0, base_missing=0)
    frame = frame.assign(cut_off=0.0, base_cut_off=0.0)
    return frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _read(path: Path) -> "pd.DataFrame":
    """The file's fields as they are written; the index of a row is its line less two, a header and counting from 1."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; name a CSV file that can be read") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8; save it as CSV in UTF-8") from error
    except (ValueError, csv.Error) as error:  # pandas' own errors of parsing are ValueErrors
        raise DataError(f"{path} is no CSV file: {str(error).strip()}; its columns are {', '.join(NEEDED)}") from error
    frame = frame.fillna("").map(str.strip).rename(columns=lambda name: str(name).strip().lower())
    if lacking := [name for name in NEEDED if name not in frame]:
        there = ", ".join(map(str, frame.columns))
        mend = "separate the columns by commas" if ";" in there or "\t" in there else f"needed are {', '.join(NEEDED)}"
        raise DataError(f"{path} lacks the column {', '.join(lacking)} (it has: {there}); {mend}")
    frame = frame[(frame != "").any(axis=1)]
    if frame.empty:
        raise DataError(f"{path} has a header and no rows; give one row per behavior, source and persona")
    return frame[[name for name in (*NEEDED, *UNTOLD, "unit", "leak_direction") if name in frame]]


def _numbers(frame: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    """Names are there, numbers are finite numbers; the first line that is not so is named. A delta may be missing."""
    import numpy as np
    import pandas as pd

    for name in ("behavior", "source", "persona"):
        _refuse(frame[name] == "", frame, path, f"{name} is empty; fill it in or remove the line")
    numbers = {}
    for name in ("cosine", "delta"):
        missing = frame[name].str.lower().isin(["", "nan", "na"])
        numbers[name] = pd.to_numeric(frame[name].where(~missing), errors="coerce")
        no_number = ~missing & ~np.isfinite(numbers[name])
        _refuse(no_number, frame, path, f"{name} is '{{{name}}}', not a number; correct it")
    _refuse(numbers["cosine"].abs() > 1 + 1e-6, frame, path, "a cosine of {cosine} is outside -1 to 1; correct it")
    return frame.assign(**numbers)


def _or_usual(frame: "pd.DataFrame", name: str, usual: str) -> "pd.Series[str] | str":
    return frame[name].where(frame[name] != "", usual) if name in frame else usual


def _refuse(bad: "pd.Series[bool]", frame: "pd.DataFrame", path: Path, sentence: str) -> None:
    """Raise with the first bad row's line and values."""
    if bad.any():
        row = frame[bad.to_numpy(bool)].iloc[0]
        raise DataError(f"{path}, line {int(str(row.name)) + 2}: {sentence.format_map(row.to_dict())}")


def _of_behaviors(frame: "pd.DataFrame", path: Path) -> dict[str, Any]:
    """unit and leak_direction, from the file or from the behaviors of that name; one of each for a behavior."""
    known = {name: behavior(name) for name in frame["behavior"].unique() if name in behavior_names()}
    units = {name: one.unit for name, one in known.items()}
    signs = {name: f"{one.leak_direction:+d}" for name, one in known.items()}
    columns = {}
    for name, usual, allowed in (("unit", units, LARGEST), ("leak_direction", signs, DIRECTIONS)):
        written = _or_usual(frame, name, "")
        columns[name] = frame.assign(it=written)["it"].where(lambda one: one != "", frame["behavior"].map(usual))
        sentence = (
            f"{name} of '{{behavior}}' is not known; correct the behavior ({', '.join(behavior_names())}), or give "
        )
        _refuse(~columns[name].isin(list(allowed)), frame, path, sentence + f"the column {name} ({', '.join(allowed)})")
        first = frame["behavior"].map(columns[name].groupby(frame["behavior"]).first())
        _refuse(columns[name] != first, frame, path, f"{{behavior}} has another {name} here than above; give it one")
    return columns | {"leak_direction": columns["leak_direction"].map(DIRECTIONS)}


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
