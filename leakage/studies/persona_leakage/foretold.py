"""Predictors and forecasts beside the results of the cells they were made for."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.manifest import Manifest
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.files import FORECAST, PREDICTORS
from leakage.studies.persona_leakage.predictors.columns import EXPLORED, FIXED, frame_column

if TYPE_CHECKING:
    import pandas as pd

EXPECTED = ("expected_rho", "expected_low", "expected_high")
SEALED = ("forecast", *EXPECTED, "before_training")


def foretold(cells: Iterable[tuple[Path, Manifest]]) -> "pd.DataFrame | None":
    """A row per cell, by its place, and persona, with every predictor turned so that a larger value should mean more
    leakage, and the sealed forecast; None where nothing was foretold.

    cells: folders of scores, with their manifests
    """
    import pandas as pd

    frames = []
    records = cache(_records)
    for place, (folder, manifest) in enumerate(cells):
        adapter = folder.parents[1]
        made_for = (one for one in records(adapter.parent) if _is_of(one, adapter, manifest))
        if record := next(made_for, None):
            frames.append(_read(record, str(manifest.facts["headline"])).assign(cell=place))
    return pd.concat(frames, ignore_index=True) if frames else None


def _records(folder: Path) -> list[Record]:
    """Of one behavior and source, the newest definition of predictors first, and of one those with all of them."""
    there = [Record(path) for path in sorted(folder.glob("predictors-*"))]
    whole = [one for one in there if one.status() is Status.DONE and one.manifest]
    identities = {one.folder: _manifest(one).identity for one in whole}
    return sorted(whole, key=lambda one: (-identities[one.folder]["predictors"], "only" in identities[one.folder]))


def _is_of(record: Record, adapter: Path, manifest: Manifest) -> bool:
    """Whether a record was made of the very base model, training set and adapter settings of a cell's adapter."""
    trained, made = Record(adapter).manifest, _manifest(record)
    if trained is None or made.facts["behavior"] != manifest.facts["behavior"]:
        return False
    return all(trained.identity[name] == value for name, value in made.identity.items() if name in trained.identity)


def _manifest(record: Record) -> Manifest:
    assert record.manifest
    return record.manifest


def _read(record: Record, headline: str) -> "pd.DataFrame":
    import pandas as pd

    facts = _manifest(record).facts
    tidy = pd.read_parquet(record.folder / PREDICTORS)
    wide = tidy.pivot(index="persona", columns="predictor", values="value")
    oriented = {column: facts["signs"][name] * wide[name] for column, name in _named(facts["signs"], headline)}
    forecast = pd.read_parquet(record.folder / FORECAST).set_index("persona")["forecast"]
    sealed = {name: facts[name] for name in (*EXPECTED, "before_training")}
    return pd.DataFrame(oriented).assign(forecast=forecast, **sealed).reset_index()


def _named(columns: Iterable[str], headline: str) -> Iterator[tuple[str, str]]:
    """As frames call them; without the cosines of centroids, which they have from the geometry."""
    for name in columns:
        column = frame_column(name, headline)
        if column != f"{FIXED}cosine" and not column.startswith(f"{EXPLORED}cosine_"):
            yield column, name
