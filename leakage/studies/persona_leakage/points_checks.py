"""What an outside result must not say, told with the first row that says it; and what its reader should know."""

import logging
from typing import TYPE_CHECKING

from leakage.data.personas import read_personas
from leakage.data.row import refused
from leakage.errors import DataError
from leakage.studies.persona_leakage.points_file import GOOD, number
from leakage.studies.persona_leakage.predictors.columns import FIXED

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
LARGEST = {"rate": 1, "pp": 100, "points": 100}  # what a unit can change by
KEY = ["model", "taught", "behavior", "source", "seed", "judge", "variant", "train_id", "eval_id", "persona"]
COURSE = r"(\d+:-?\d+(\.\d*)?(e[-+]\d+)? ?)*"  # steps and changes of a trajectory


def refuse(bad: "pd.Series[bool]", frame: "pd.DataFrame", sentence: str) -> None:
    """Raise with the first bad row's place and values."""
    if bad.any():
        row = frame[bad.to_numpy(bool)].iloc[0]
        raise refused(row["where"], sentence.format_map(row.to_dict()), GOOD)


def check(frame: "pd.DataFrame") -> None:
    """Of a frame whose columns are typed already."""
    _refuse_wrong_units(frame)
    _refuse_nothing_known(frame)
    _name_default_prompts(frame)
    _refuse_wrong_lists(frame)
    mend = "remove one, or tell the two apart with a column seed, model or variant"
    refuse(frame.duplicated(KEY), frame, "persona '{persona}' stands twice under {behavior} x {source}; " + mend)
    _name_cells_without_source(frame)


def _refuse_wrong_units(frame: "pd.DataFrame") -> None:
    """A delta that its unit cannot have, or deltas of 100 that all look like shares of 1."""
    beyond = frame["delta"].abs() > frame["unit"].map(LARGEST) * (1 + 1e-6)
    refuse(beyond, frame, "a delta of {delta:g} is more than a {unit} can change by; correct it, or the unit")
    for name, rows in frame[~frame["unit_told"] & (frame["unit"] != "rate")].groupby("behavior"):
        if rows["delta"].abs().max() <= 1 and (rows["delta"] % 1 != 0).any():
            unit = rows["unit"].iloc[0]
            raise DataError(
                f"{rows['where'].iloc[0]}: the deltas of {name} all lie between -1 and 1, as shares do, while its unit "
                f"is {unit}, of 100; multiply them by 100, or add a column unit with {unit} if they are meant so"
            )


def _refuse_nothing_known(frame: "pd.DataFrame") -> None:
    """Rows without a delta or a cosine count nowhere: a warning, and an error where there are no others."""
    others = frame[~frame["is_source"].astype(bool)]
    predicts = ["cosine", *(name for name in frame.columns if name.startswith(FIXED))]
    lacking = others["delta"].isna() | others[predicts].isna().all(axis=1)
    if lacking.all():
        file = frame["where"].iloc[0].rpartition(", ")[0]
        raise DataError(
            f"{file}: no bystander has a delta and a cosine, so that nothing can be said; give one row per persona"
        )
    if lacking.any():
        first = others.loc[lacking, "where"].iloc[0]
        log.warning("%d rows lack a delta or a cosine and count nowhere, %s first", int(lacking.sum()), first)


def _refuse_wrong_lists(frame: "pd.DataFrame") -> None:
    """Several numbers in one field."""
    no_numbers = ~frame["delta_by_prompt"].map(_are_numbers)
    refuse(no_numbers, frame, "delta_by_prompt is '{delta_by_prompt}', not numbers with spaces between; correct it")
    if "trajectory" in frame:
        no_course = ~frame["trajectory"].str.fullmatch(COURSE)
        refuse(no_course, frame, "trajectory is '{trajectory}', not step:change as in 0:0 17:0.2; correct it")


def _are_numbers(text: str) -> bool:
    return not any(number(one) == float("inf") for one in text.split())


def _name_cells_without_source(frame: "pd.DataFrame") -> None:
    """Of these the source's own change is not known; its name may be spelt otherwise among the personas."""
    cells = frame.groupby(KEY[:-1])["is_source"].any().reset_index()
    lost = cells[~cells["is_source"]]
    if names := sorted({f"{one} x {other}" for one, other in zip(lost["behavior"], lost["source"], strict=True)}):
        log.warning("no row is the source's own in %s; personas and sources must be spelt alike", ", ".join(names))


def _name_default_prompts(frame: "pd.DataFrame") -> None:
    """Personas that results of this project's own do not count; as published, a file's are all counted."""
    outside = {one.name for one in read_personas().members if not one.in_panel}
    counted = frame[frame["persona"].isin(outside) & ~frame["is_source"].astype(bool) & frame["in_panel"].astype(bool)]
    for name in counted["persona"].unique():
        log.info("%s counts as a bystander, as the file gives it; a column in_panel with false leaves it out", name)
