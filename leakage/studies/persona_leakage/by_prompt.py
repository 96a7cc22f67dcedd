"""How each prompt changed each persona, for cells with few prompts: eight questions are eight data, not eighty."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

FEW = 20  # prompts up to which they are resampled as well as personas


@dataclass
class Changes:
    """The changes by prompt of many cells, each baseline of which is read once."""

    baselines: "dict[tuple[Path, str], pd.DataFrame | None]" = field(default_factory=dict)

    def of(self, scores: Path, before: Path, facts: Mapping[str, Any]) -> "pd.Series[str]":
        """For each persona the change under each prompt, in the behavior's unit, as a text; none where prompts are
        many, or one of the two records of verdicts is not there."""
        import pandas as pd

        hits = facts["measure"] == "hits"
        column, scale = ("hit", 1 if facts["unit"] == "rate" else 100) if hits else ("score", 1)
        after = _means(scores, column)
        if after is not None and (before, column) not in self.baselines:
            self.baselines[before, column] = _means(before, column)
        earlier = self.baselines.get((before, column))
        if after is None or earlier is None:
            return pd.Series(dtype=str)
        change = scale * (after - earlier.reindex(index=after.index, columns=after.columns))
        return pd.Series([_text(row) for row in change.to_numpy(float)], index=change.index)


def table_of(texts: "Iterable[str]") -> "Array | None":
    """Texts of changes as numbers, (personas, prompts); None unless every persona has as many."""
    rows = [text.split() for text in texts]
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        return None
    return np.array(rows, dtype=float)


def _text(row: "Array") -> str:
    return " ".join(f"{value:.9g}" for value in row)


def _means(scores: Path, column: str) -> "pd.DataFrame | None":
    """Mean hit or score, persona x prompt; None where prompts are many. What could not be read counts nowhere."""
    import pandas as pd

    path = scores / "verdicts.parquet"
    if not path.exists() or _prompts(path) > FEW:
        return None
    verdicts = pd.read_parquet(path, columns=["persona", "prompt", *{"score", column}]).dropna(subset=["score"])
    return verdicts.groupby(["persona", "prompt"], sort=False)[column].mean().unstack()


def _prompts(path: Path) -> int:
    """How many prompts there are, numbered from 0, by the file's own statistics: a large file is not read for it."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        place = file.schema_arrow.get_field_index("prompt")
        groups = [file.metadata.row_group(i).column(place).statistics for i in range(file.metadata.num_row_groups)]
    return 1 + max((one.max for one in groups if one and one.has_min_max), default=FEW)
