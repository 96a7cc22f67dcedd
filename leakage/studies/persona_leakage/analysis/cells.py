"""What the tables mean by a cell, a grid and a bystander."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

GRID = ["model", "taught", "behavior", "seed", "judge", "variant"]
CELL = ["model", "taught", "behavior", "source", "seed", "judge", "variant", "train_id", "eval_id"]


def bystanders(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of personas of the panel other than the source."""
    return frame[frame["in_panel"] & ~frame["is_source"]]


def cells(frame: "pd.DataFrame", *columns: str) -> "Iterator[tuple[dict[str, Any], pd.DataFrame]]":
    """Each cell's keys and its rows, in the order they first appear; with few columns where only few are needed, since
    a thousand cells are cut out of each."""
    narrow = frame[[*CELL, *columns]] if columns else frame
    for key, rows in narrow.groupby(CELL, sort=False):
        yield dict(zip(CELL, key, strict=True)), rows


def grids(frame: "pd.DataFrame") -> "Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]":
    """Cells that differ in their source alone: keys, deltas and cosines, both persona x source.

    Personas that are the source of any of them are left out: a source was trained, and its own cosine is 1.
    """
    import pandas as pd

    for key, rows in frame[frame["in_panel"] | frame["is_source"]].groupby(GRID, sort=False):
        sources = rows["source"].unique()
        if len(sources) < 2:
            continue
        others = rows[~rows["persona"].isin(sources)]
        # two cells of one source in a grid differ by something no column tells: their mean stands for both
        wide = others.pivot_table(
            index="persona", columns="source", values=["delta", "cosine"], sort=False, dropna=False
        )
        deltas, cosines = (pd.DataFrame(wide[name], columns=sources) for name in ("delta", "cosine"))
        yield dict(zip(GRID, key, strict=True)), deltas, cosines
