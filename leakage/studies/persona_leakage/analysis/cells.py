"""What the tables mean by a cell, a grid and a bystander."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Columns: TypeAlias = dict[str, "np.ndarray[Any, np.dtype[Any]]"]
GRID = ["model", "taught", "behavior", "seed", "judge", "variant"]
CELL = ["model", "taught", "behavior", "source", "seed", "judge", "variant", "train_id", "eval_id"]


def bystanders(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of personas of the panel other than the source."""
    return frame[frame["in_panel"] & ~frame["is_source"]]


def cells(frame: "pd.DataFrame") -> "Iterator[tuple[dict[str, Any], pd.DataFrame]]":
    """Each cell's keys and its rows, in the order they first appear."""
    for key, rows in frame.groupby(CELL, sort=False):
        yield dict(zip(CELL, key, strict=True)), rows


def columns_of_cells(frame: "pd.DataFrame", *columns: str) -> "Iterator[tuple[dict[str, Any], Columns]]":
    """The same with the rows as arrays: cutting a thousand cells out of a frame takes longer than their statistics."""
    wanted = list(dict.fromkeys([*CELL, *columns]))
    places = frame.groupby(CELL, sort=False).ngroup().to_numpy()
    order = np.argsort(places, kind="stable")
    arrays = {name: frame[name].to_numpy()[order] for name in wanted}
    sizes = np.bincount(places)
    for start, end in zip(np.cumsum(sizes) - sizes, np.cumsum(sizes), strict=True):
        one = {name: values[start:end] for name, values in arrays.items()}
        yield {name: one[name][0] for name in CELL}, one


def those(rows: "Columns", chosen: "np.ndarray[Any, np.dtype[np.bool_]]") -> "Columns":
    """Some of the rows."""
    return {name: values[chosen] for name, values in rows.items()}


def are_bystanders(rows: "Columns") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which rows are of personas of the panel other than the source."""
    return np.asarray(rows["in_panel"].astype(bool) & ~rows["is_source"].astype(bool))


def wide(rows: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """A column as a table, persona x source, in the order they first appear; means where a pair is there twice."""
    import pandas as pd

    (people, personas), (where, sources) = (pd.factorize(rows[key]) for key in ("persona", "source"))
    values = rows[name].to_numpy(float)
    there = ~np.isnan(values)
    sums, counts = np.zeros((len(personas), len(sources))), np.zeros((len(personas), len(sources)))
    np.add.at(sums, (people[there], where[there]), values[there])
    np.add.at(counts, (people[there], where[there]), 1)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return pd.DataFrame(means, index=pd.Index(personas, name="persona"), columns=pd.Index(sources, name="source"))


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
        deltas, cosines = (pd.DataFrame(wide(others, name), columns=sources) for name in ("delta", "cosine"))
        yield dict(zip(GRID, key, strict=True)), deltas, cosines
