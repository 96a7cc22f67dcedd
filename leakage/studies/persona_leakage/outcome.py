"""Margins, and the dose at which training ended, beside the results of the cells they were measured of."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.manifest import Manifest
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.files import MARGINS

if TYPE_CHECKING:
    import pandas as pd

OF_CELL = ("steps", "dose", "until")
OF_PERSONA = ("base_margin", "margin", "delta_margin")
SHARED = ("behavior.name", "personas")  # of margins and completions
OUTCOME = (*OF_CELL, *OF_PERSONA)


def outcome(cells: Iterable[tuple[Path, Manifest]], root: Path) -> "pd.DataFrame | None":
    """A row per cell, by its place, and persona: margins before and after and their difference, steps trained, and the
    dose measured last; None where nothing of this was asked for.

    cells: folders of scores, with their manifests
    """
    import pandas as pd

    frames = []
    for place, (folder, manifest) in enumerate(cells):
        adapter, baseline = folder.parents[1], root / str(manifest.facts["baseline"])
        after, trained = _margins(adapter, folder.parent), Record(adapter).manifest
        facts = trained.facts if trained else {}
        if after is None and "until" not in facts:
            continue
        before = baseline.parent / after.name if after else None
        rows = pd.read_parquet(folder / "scores.parquet", columns=["persona"])
        rows = rows.assign(**{name: facts.get(name, float("nan")) for name in OF_CELL})
        rows["base_margin"], rows["margin"] = (rows["persona"].map(_means(one)) for one in (before, after))
        frames.append(rows.assign(delta_margin=rows["margin"] - rows["base_margin"], cell=place))
    return pd.concat(frames, ignore_index=True) if frames else None


def _margins(adapter: Path, completions: Path) -> Path | None:
    """The folder of an adapter's margins, of the behavior and the personas that its completions are of."""
    asked = Record(completions).manifest
    for path in sorted(adapter.glob("margins-*")):
        measured = Record(path).manifest
        same = asked and measured and all(measured.identity[name] == asked.identity[name] for name in SHARED)
        if same and Record(path).status() is Status.DONE:
            return path
    return None


def _means(folder: Path | None) -> "pd.Series[float]":
    """For each persona the mean margin over prompts."""
    import pandas as pd

    if folder is None or Record(folder).status() is not Status.DONE:
        return pd.Series(dtype=float)
    return pd.read_parquet(folder / MARGINS).groupby("persona")["margin"].mean()
