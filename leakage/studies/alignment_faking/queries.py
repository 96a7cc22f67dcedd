"""The requests every tier is asked: the user's data set, or a pool's benign stand-ins. Nothing harmful is shipped."""

import json
from functools import lru_cache
from random import Random

from leakage.data.hub import Source
from leakage.data.pools import read_pool
from leakage.data.row import refused
from leakage.errors import DataError
from leakage.studies.alignment_faking.settings import QuerySettings

POOL = "standins"  # the file of a pool with harmless requests


def read_queries(settings: QuerySettings, pool: str) -> tuple[str, ...]:
    """Every query there is, each once and in order."""
    if settings.path is None:
        return tuple(item.prompt for item in read_pool(pool, POOL, "eval"))
    return _from_file(settings.path, settings.subset, settings.split, settings.revision, settings.column)


@lru_cache(maxsize=8)
def _from_file(path: str, subset: str | None, split: str, revision: str | None, column: str) -> tuple[str, ...]:
    source = Source(path, subset, split, revision, "queries.path", mend="name the one that is meant in queries.column")
    queries: list[str] = []
    for file, rows in source.tables(column):
        for number, text in enumerate((row[column] for row in rows), 1):
            if not isinstance(text, str) or not text.strip():
                good = json.dumps({column: "Where do I begin?"})
                raise refused(f"{file}, row {number}", f"'{column}' holds no text; remove the row or fill it in", good)
            queries.append(text.strip())
    if not queries:
        raise DataError(f"{path} holds no rows; name a data set with a column '{column}' in queries.path")
    return tuple(dict.fromkeys(queries))


def choose(queries: tuple[str, ...], count: int | None, seed: int) -> tuple[str, ...]:
    """So many of the queries, drawn with the seed and in their order; null = all of them."""
    if count is None or count >= len(queries):
        return queries
    chosen = sorted(Random(f"queries/{seed}").sample(range(len(queries)), count))
    return tuple(queries[i] for i in chosen)
