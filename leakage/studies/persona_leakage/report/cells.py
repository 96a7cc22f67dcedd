"""The cells of a report: what the tables say of each, the folders behind it, and the name of its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.report.pages import page_name, records, told_apart
from leakage.studies.persona_leakage.artifacts import KEY, Artifacts, Key, key_of, read_artifacts

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True)
class Cell:
    """One cell: its row of the headline table, its rows of the tidy frame, its cautions, and what it has kept.

    artifacts: None where the result came without its folders
    """

    slug: str
    row: dict[str, Any]
    rows: pd.DataFrame
    cautions: tuple[str, ...]
    artifacts: Artifacts | None

    @property
    def key(self) -> Key:
        """What identifies the cell."""
        return key_of(self.row)

    @property
    def title(self) -> str:
        """What it is called on the pages."""
        taught, behavior = self.row["taught"], self.row["behavior"]
        measured = "" if taught == behavior else f", measured on {behavior}"
        variant = f", {self.row['variant']}" if self.row["variant"] else ""
        return f"{taught} taught to {self.row['source']}{measured}, seed {self.row['seed']}{variant}"


def read_cells(frame: pd.DataFrame, multirun: Path, designs: pd.DataFrame) -> list[Cell]:
    """The cells of a tidy frame, in the order of the headline table; `designs` is that of `controls`."""
    from leakage.studies.persona_leakage.analysis.cautions import cautions
    from leakage.studies.persona_leakage.analysis.tables import headline

    table = headline(frame)
    rows = records(table)
    by_key = read_artifacts(multirun)
    parts = dict(iter(frame.groupby(list(KEY), sort=False)))
    return [
        Cell(slug, row, parts[key_of(row)], said, by_key.get(key_of(row)))
        for slug, row, said in zip(slugs(rows), rows, cautions(table, designs), strict=True)
    ]


def slugs(rows: list[dict[str, Any]]) -> list[str]:
    """A name for each cell's page: readable, and another for every cell also where upper and lower case are one."""
    short = [_slug(row, "model", "taught", "behavior", "source", "seed", "train_id") for row in rows]
    return told_apart(short, [key_of(row) for row in rows])


def _slug(row: dict[str, Any], *names: str) -> str:
    parts = {name: str(row[name]) for name in names}
    if parts["taught"] == parts["behavior"]:
        del parts["taught"]
    parts["seed"] = f"seed{parts['seed']}"
    return page_name(*parts.values())
