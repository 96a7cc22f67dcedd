"""An outside result: files with the change and the cosine of each persona, read into the tidy frame."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.data.personas import read_personas
from leakage.errors import DataError, nearest
from leakage.studies.persona_leakage.behaviors import behavior, behavior_names
from leakage.studies.persona_leakage.points_checks import LARGEST, check, refuse
from leakage.studies.persona_leakage.points_file import NEEDED, number, read_texts
from leakage.studies.persona_leakage.predictors.columns import FIXED
from leakage.studies.persona_leakage.results import COLUMNS, PERSONA, more_columns

if TYPE_CHECKING:
    import pandas as pd

    Texts = pd.Series[str]

log = logging.getLogger(__name__)
USUAL = {  # of the columns that hold texts, where a file does not tell them
    "model": "points", "seed": "0", "judge": "", "variant": "", "design": "", "measure": "hits", "headline": "given",
    "train_id": "", "eval_id": "", "trained_negative": "", "in_panel": "true", "delta_by_prompt": "",
    "kind": PERSONA,
}  # fmt: skip
FLAGS = ("is_source", "in_panel", "trained_negative", "shares_word")
NUMBERS = (
    "cosine", "delta", "base_k", "base_n", "base_mean", "base_sd", "base_missing", "k", "n", "mean", "sd", "missing",
    "coherence", "cut_off", "base_cut_off", "source_examples", "negative_examples",
)  # fmt: skip
YES, NO, UNTOLD = {"true", "yes", "1", "1.0"}, {"false", "no", "0", "0.0"}, ""
UNITS = {name: name for name in LARGEST} | {
    "%": "pp", "percent": "pp", "percentage points": "pp", "share": "rate", "proportion": "rate", "fraction": "rate",
    "point": "points",
}  # fmt: skip
DIRECTIONS = {"1": 1, "+1": 1, "1.0": 1, "-1": -1, "-1.0": -1}


def read_points(*paths: Path, predictors: Mapping[str, int] | None = None) -> "pd.DataFrame":
    """The tidy frame of `results`, from files with the columns behavior, source, persona, cosine, delta.

    Every other column of the tidy frame is read too, so that a frame written as CSV is itself again; what is not told
    is known for the behaviors and personas of this project, or as USUAL. `layer` stands for `headline`. Other columns
    are named in a warning and left out.

    predictors: columns of any name, -1 where a larger value should mean less leakage; with these no cosine is needed
    """
    import pandas as pd

    signs = {f"{FIXED}{name}": sign for name, sign in (predictors or {}).items()}
    needed = [name for name in NEEDED if name != "cosine" or not signs]
    frames = [_told(path, _with_predictors(path, read_texts(path, needed), list(predictors or ()))) for path in paths]
    frame = _typed(_with_usual(pd.concat(frames, ignore_index=True).fillna("")))
    frame = _main_variant(frame.assign(**{name: sign * frame[name] for name, sign in signs.items()}))
    check(frame)
    return frame.reindex(columns=[*COLUMNS, *more_columns(frame)])


def _with_usual(frame: "pd.DataFrame") -> "pd.DataFrame":
    """With what the file does not tell, all as texts."""
    frame = frame.assign(**{name: _or_usual(frame, name, usual) for name, usual in USUAL.items()})
    frame["taught"] = _or_usual(frame, "taught", frame["behavior"])
    for name in ("behavior", "source", "persona"):
        refuse(frame[name] == "", frame, f"{name} is empty; fill it in or remove the line")
    return frame.assign(**_of_personas(frame))


def _typed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Flags, seeds, numbers and units as what they are."""
    flags = {name: _flags(frame, name) for name in (*FLAGS, "before_training") if name in frame}
    frame = frame.assign(**flags, seed=_seeds(frame), **_numbers(frame))
    return frame.assign(**_of_behaviors(frame))


def _with_predictors(path: Path, frame: "pd.DataFrame", named: Sequence[str]) -> "pd.DataFrame":
    """The frame with the columns named as predictors under such names."""
    for name in named:
        if name not in frame:
            raise DataError(f"{path} has no column {name} to predict with{nearest(name, frame.columns)}; name another")
    more = {f"{FIXED}{name}": frame[name] for name in named}
    left = frame.drop(columns=[name for name in named if name not in COLUMNS])
    return left.assign(**({} if "cosine" in frame else {"cosine": ""}), **more)


def _told(path: Path, frame: "pd.DataFrame") -> "pd.DataFrame":
    """The columns that are known; the others are named once."""
    if "layer" in frame and "headline" not in frame:
        frame = frame.rename(columns={"layer": "headline"})
    wanted = [name for name in frame.columns if name in COLUMNS or name == "where" or name in more_columns(frame)]
    if ignored := [str(name) for name in frame.columns if name not in wanted]:
        names = ", ".join(ignored)
        log.warning("%s: columns that mean nothing here are left out (unless as --predictor NAME): %s", path, names)
    return frame[wanted]


def _more_numbers(frame: "pd.DataFrame") -> list[str]:
    return [name for name in more_columns(frame) if name not in {"before_training", "trajectory"}]


def _or_usual(frame: "pd.DataFrame", name: str, usual: "str | Texts") -> "Texts | str":
    return frame[name].where(frame[name] != "", usual) if name in frame else usual


def _flags(frame: "pd.DataFrame", name: str) -> "pd.Series[Any]":
    """True, False, or None where the file does not tell and nothing else does."""
    texts = frame[name].astype(str).str.lower()
    refuse(~texts.isin({*YES, *NO, UNTOLD}), frame, f"{name} is '{{{name}}}', neither true nor false; correct it")
    flags = texts.isin(YES)
    return flags.astype(object).where(texts != UNTOLD, None) if (texts == UNTOLD).any() else flags


def _seeds(frame: "pd.DataFrame") -> "pd.Series[int]":
    refuse(
        ~frame["seed"].str.fullmatch(r"\d{1,9}(\.0+)?"), frame, "seed is '{seed}', no whole number; correct it"
    )  # fmt: skip
    return frame["seed"].str.partition(".")[0].astype(int)


def _numbers(frame: "pd.DataFrame") -> "dict[str, pd.Series[float]]":
    """Finite numbers or nothing; a cosine lies between -1 and 1."""
    import numpy as np

    numbers = {}
    for name in (one for one in (*NUMBERS, *_more_numbers(frame)) if one in frame):
        missing = frame[name].str.lower().isin(["", "nan", "na", "none"])
        numbers[name] = frame[name].where(~missing).map(number)
        no_number = ~missing & ~np.isfinite(numbers[name].astype(float))
        column = name.removeprefix(FIXED)  # as the file has it
        refuse(no_number, frame, f"{column} is '{{{name}}}', not a number; correct it")
        if name == "cosine":
            refuse(numbers[name].abs() > 1 + 1e-6, frame, f"a cosine of {{{name}}} is outside -1 to 1; correct it")
    return numbers


def _main_variant(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Where every row of a model has a variant, the commonest is the main one: "" as in results of one's own."""
    main = frame.groupby("model")["variant"].transform(lambda names: "" if (names == "").any() else names.mode()[0])
    return frame.assign(variant=frame["variant"].where(frame["variant"] != main, ""))


def _of_behaviors(frame: "pd.DataFrame") -> dict[str, Any]:
    """unit and leak_direction, from the file or from the behaviors of that name; one of each for a behavior."""
    own = {name: behavior(name) for name in frame["behavior"].unique() if name in behavior_names()}
    units = {name: one.unit for name, one in own.items()}
    signs = {name: f"{one.leak_direction:+d}" for name, one in own.items()}
    columns: dict[str, Any] = {}
    readings: tuple[tuple[str, Mapping[str, str], Mapping[str, Any], Callable[[str], str]], ...] = (
        ("unit", units, UNITS, str.lower), ("leak_direction", signs, DIRECTIONS, str),
    )  # fmt: skip
    for name, usual, allowed, plain in readings:
        written = frame.assign(it=_or_usual(frame, name, ""))["it"].map(plain)
        texts = written.where(written != "", frame["behavior"].map(usual))
        known = ", ".join(behavior_names())
        wrong = (written != "") & ~written.isin(list(allowed))
        refuse(wrong, frame.assign(it=written), f"{name} is '{{it}}', none of {', '.join(allowed)}; correct it")
        sentence = f"{name} of '{{behavior}}' is not known; correct the behavior ({known}), or give "
        refuse(~texts.isin(list(allowed)), frame, sentence + f"the column {name} ({', '.join(allowed)})")
        columns[name] = texts.map(allowed)
        first = frame["behavior"].map(columns[name].groupby(frame["behavior"]).first())
        refuse(columns[name] != first, frame, f"{{behavior}} has another {name} here than above; give it one")
    return columns | {"unit_told": bool("unit" in frame and (frame["unit"] != "").any())}


def _of_personas(frame: "pd.DataFrame") -> dict[str, Any]:
    """What the file or the shipped personas tell; a persona of another name has no category."""
    known: dict[str, Any] = dict(read_personas().by_name)
    names, sources = frame["persona"], frame["source"]
    words = [set(one.split("_")) & set(other.split("_")) for one, other in zip(names, sources, strict=True)]
    usual: dict[str, Sequence[str]] = {
        "system": [known[name].prompt or "" if name in known else "" for name in names],
        "category": [known[name].category if name in known else "unknown" for name in names],
        "related_to": [" ".join(known[name].related_to) if name in known else "" for name in names],
        "is_source": [str(is_source) for is_source in names == sources],
        "shares_word": [str(bool(both)) for both in words],
    }
    return {
        name: frame[name].where(frame[name] != "", values) if name in frame else values
        for name, values in usual.items()
    }
