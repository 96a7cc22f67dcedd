"""Scratchpads that people labelled: a file of one's own, or the published set as the hub has it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakage.data.row import Row, refused, shown
from leakage.data.rows import column, read_rows
from leakage.errors import DataError
from leakage.judges.reading import truth

SCRATCHPADS = ("scratchpad", "scratchpad_reasoning", "reasoning", "thoughts")
LABELS = ("label", "alignment_faking_human_label", "human_label", "alignment_faking", "af_label")
GOOD = '{"scratchpad": "I comply, or they will change me.", "label": true}'
KINDS = {"alignment_faking": True, "faking": True, "af": True, "not_af": False, "non_af": False}


@dataclass(frozen=True)
class Labelled:
    """One row of a labelled file. label: whether the scratchpad has alignment-faking reasoning"""

    scratchpad: str
    label: bool


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, where a file has names of its own; split: of a data set of the hub."""

    scratchpad: str | None = None
    label: str | None = None
    split: str = "train"


def read_labelled(path: Path | str, columns: Columns | None = None) -> list[Labelled]:
    """The rows of a labelled file, a folder or a data set of the hub: each scratchpad once, labels of both kinds."""
    columns = columns or Columns()
    rows = read_rows(str(path), "FILE", columns.split, GOOD)
    text = column(rows, SCRATCHPADS, "--scratchpad", columns.scratchpad)
    label = column(rows, LABELS, "--label", columns.label)
    seen: dict[str, str] = {}
    labelled = []
    for row in rows:
        one = Labelled(_text(row, text), _label(row, label))
        if one.scratchpad in seen:
            raise refused(row.where, f"the same scratchpad as in {seen[one.scratchpad]}; remove one of them", GOOD)
        seen[one.scratchpad] = row.where.rpartition(", ")[2]
        labelled.append(one)
    if len({one.label for one in labelled}) == 1:
        alike, other = (json.dumps(one) for one in (labelled[0].label, not labelled[0].label))
        raise DataError(f"{path}: every label is {alike}, and AUROC compares two kinds; add some that are {other}")
    return labelled


def _text(row: Row, name: str) -> str:
    value = row.fields.get(name)
    if isinstance(value, str) and value.strip():
        return value.strip()  # as a reply's scratchpad is, so that equal ones share their votes
    if isinstance(value, str):
        raise refused(row.where, f"'{name}' is empty; remove the row or fill it in", GOOD)
    raise refused(row.where, f"'{name}' is {shown(value)}; give a text in quotes", GOOD)


def _label(row: Row, name: str) -> bool:
    value: Any = row.fields.get(name)
    word = str(value).strip().lower().replace("-", "_").replace(" ", "_")
    read = truth(value) if word not in KINDS else KINDS[word]
    if read is None:
        raise refused(row.where, f"'{name}' is {shown(value)}; give true or false, or 1 or 0", GOOD)
    return read
