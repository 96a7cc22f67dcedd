"""What one model's part of the write-up is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.report.markdown import count, listed

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.persona_leakage.artifacts import Artifacts
    from leakage.studies.persona_leakage.report.cells import Cell

Row = dict[Any, Any]


@dataclass(frozen=True)
class Study:
    """The cells of one model, and the tables of the analysis that tell of them.

    main: the cells in the usual settings whose behavior is measured where it was taught; others: variants, controls,
    and cells measured on another behavior
    """

    model: str
    cells: Sequence[Cell]
    tables: dict[str, pd.DataFrame]

    @property
    def main(self) -> list[Cell]:
        """What the takeaways are about."""
        return [cell for cell in self.cells if not cell.row["variant"] and cell.row["taught"] == cell.row["behavior"]]

    @property
    def others(self) -> list[Cell]:
        """What is set against the main cells."""
        own = {cell.slug for cell in self.main}
        return [cell for cell in self.cells if cell.slug not in own]

    def behaviors(self) -> Iterator[tuple[str, list[Cell]]]:
        """Each behavior with its main cells, in the table's order."""
        for name in dict.fromkeys(cell.row["behavior"] for cell in self.main):
            yield name, [cell for cell in self.main if cell.row["behavior"] == name]

    def complete(self) -> list[tuple[str, list[tuple[Cell, Artifacts]]]]:
        """For each behavior the main cells that have kept their folders; no behavior without any."""
        of_behaviors = [
            (name, [(cell, cell.artifacts) for cell in cells if cell.artifacts]) for name, cells in self.behaviors()
        ]
        return [(name, cells) for name, cells in of_behaviors if cells]

    def complete_others(self) -> list[tuple[str, list[tuple[Cell, Artifacts]]]]:
        """The same of the other cells, by behavior and settings; each adapter once, and none of a main cell's."""
        seen = {cell.row["train_id"] for cell in self.main}
        groups: dict[str, list[tuple[Cell, Artifacts]]] = {}
        for cell in self.others:
            if cell.artifacts and cell.row["train_id"] not in seen:
                seen.add(cell.row["train_id"])
                name = " ".join(filter(None, (cell.row["taught"], cell.row["variant"])))
                groups.setdefault(name, []).append((cell, cell.artifacts))
        return list(groups.items())

    def of_each_behavior(self) -> list[tuple[str, Artifacts]]:
        """For each behavior the first cell that has kept its folders."""
        return [(name, cells[0][1]) for name, cells in self.complete()]

    def rows_of(self, table: str, **wanted: Any) -> list[Row]:
        """Rows of one of the tables that belong to this model's main cells."""
        frame = self.tables[table]
        plain = (frame["model"] == self.model) & (frame["variant"] == "") & (frame["taught"] == frame["behavior"])
        for name, value in wanted.items():
            plain &= frame[name] == value
        return list(frame[plain].to_dict("records"))

    def shams(self) -> dict[tuple[str, str, str], Row]:
        """The table's row of every main cell that a sham adapter stands beside, by train_id, eval_id and judge."""
        rows = self.rows_of("designs", design="sham")
        return {(row["train_id"], row["eval_id"], row["judge"]): row for row in rows}

    @property
    def size(self) -> str:
        """How many cells of what."""
        rows = [cell.row for cell in self.main]
        behaviors, sources, seeds = (
            list(dict.fromkeys(row[name] for row in rows)) for name in ("behavior", "source", "seed")
        )
        cells = f"{count(len(rows), 'cell')}: {listed(behaviors)} taught to {listed(sources)}"
        return f"{cells}, {count(len(seeds), 'seed')}"
