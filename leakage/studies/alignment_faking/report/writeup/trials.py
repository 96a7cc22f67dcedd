"""What the write-up is made of: the trials as the pages have them, and the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.report.pages import records

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.alignment_faking.report.trials import Row, TrialPage

REPEATED = ("subject", "scenario", "gap_name", "judge", "variant")  # of gaps that differ in their seed alone
REPLIES = ("subject", "scenario", "train_id", "eval_id", "gap_name")  # of gaps over the same replies
TELLING = ("gap_name", "seed", "judge", "variant")  # columns that are shown where they differ


@dataclass(frozen=True)
class Trials:
    """The trials, the tables that tell of them, and where they lie."""

    pages: Sequence[TrialPage]
    tables: dict[str, pd.DataFrame]
    multirun: Path

    @property
    def gaps(self) -> list[Row]:
        """Every gap, a row of the table of gaps."""
        return [row for page in self.pages for row in page.gaps]

    def rows(self, table: str) -> list[Row]:
        """The rows of another table."""
        return records(self.tables[table])

    @property
    def keys(self) -> list[str]:
        """What tells gaps apart: subject and scenario, and whatever else differs between them."""
        others = [name for name in TELLING if len({row[name] for row in self.gaps}) > 1]
        return ["subject", "scenario", *others]

    @property
    def planted(self) -> set[str]:
        """Subjects whose answer is known."""
        return {row["subject"] for row in self.gaps if row["planted_gap"] == row["planted_gap"]}

    def named(self, row: Row) -> list[Any]:
        """The cells of a table that name a gap."""
        return [row[name] for name in self.keys]

    def in_words(self, row: Row) -> str:
        """A gap as a sentence names it."""
        words = [str(row[name]) for name in self.keys if row[name] != ""]
        return f"{words[0]} in {', '.join(words[1:])}"

    def others(self, row: Row, same: Sequence[str], *, differs: str) -> list[Row]:
        """The gaps that share some columns with a row and differ in one."""
        return [
            one for one in self.gaps if one[differs] != row[differs] and all(one[name] == row[name] for name in same)
        ]
