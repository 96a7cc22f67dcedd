"""Margins, their trajectory, and the dose at which training ended, beside the results of the cells they are of."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.manifest import Manifest
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.files import MARGINS, TRAJECTORY

if TYPE_CHECKING:
    import pandas as pd

OF_CELL = ("steps", "dose", "until")
OF_PERSONA = ("base_margin", "margin", "delta_margin", "trajectory")
OUTCOME = (*OF_CELL, *OF_PERSONA)
SHARED = ("behavior.name", "personas")  # of margins and completions


def outcome(cells: Iterable[tuple[Path, Manifest]], root: Path) -> "pd.DataFrame | None":
    """A row per cell, by its place, and persona: OUTCOME; None where nothing of this was asked for.

    steps, dose: of the training, and what was measured last in it; delta_margin: of margins before and after;
    trajectory: changes of the margin at steps of the training, as a text: 0:0 17:0.21 33:1.4

    cells: folders of scores, with their manifests
    """
    import pandas as pd

    frames = []
    for place, (folder, manifest) in enumerate(cells):
        adapter, baseline = folder.parents[1], root / str(manifest.facts["baseline"])
        after, along = (_measured(adapter, folder.parent, kind) for kind in ("margins", "trajectory"))
        trained = Record(adapter).manifest
        facts = trained.facts if trained else {}
        if not after and not along and "until" not in facts:
            continue
        before = baseline.parent / after.name if after else None
        rows = pd.read_parquet(folder / "scores.parquet", columns=["persona"])
        rows = rows.assign(**{name: facts.get(name, float("nan")) for name in OF_CELL})
        rows["base_margin"], rows["margin"] = (rows["persona"].map(_means(one)) for one in (before, after))
        rows["trajectory"] = rows["persona"].map(_texts(along)) if along else ""
        frames.append(rows.assign(delta_margin=rows["margin"] - rows["base_margin"], cell=place))
    return pd.concat(frames, ignore_index=True) if frames else None


def _measured(adapter: Path, completions: Path, kind: str) -> Path | None:
    """The folder of what was measured of an adapter, of the behavior and the personas that its completions are of."""
    asked = Record(completions).manifest
    for path in sorted(adapter.glob(f"{kind}-*")):
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


def _texts(folder: Path) -> "pd.Series[str]":
    """For each persona its changes, step by step."""
    import pandas as pd

    means = pd.read_parquet(folder / TRAJECTORY).groupby(["persona", "step"])["delta"].mean().unstack()
    texts = [" ".join(f"{step}:{value:.9g}" for step, value in row.items()) for _, row in means.iterrows()]
    return pd.Series(texts, index=means.index)
