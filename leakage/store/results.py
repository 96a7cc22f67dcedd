"""All results below a folder as one tidy frame: a row per cell and persona."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.record import MANIFEST, Manifest, Record, Status

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
Read = Callable[[Path], "pd.DataFrame"]

COLUMNS = (
    "model", "behavior", "unit", "leak_direction", "source", "seed", "train_id", "eval_id", "persona", "category",
    "related_to", "is_source", "in_panel", "trained_negative", "shares_word", "base_k", "base_n", "k", "n", "delta",
    "cosine", "headline",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A result folder that has begun, and how it stands."""

    folder: Path
    status: Status
    manifest: Manifest | None
    reason: str | None


def find(multirun: Path) -> list[Found]:
    """Every folder below `multirun` that holds, or was to hold, a record; in the folders' order."""
    folders = {path.parent for name in (MANIFEST, "failed.json", ".hydra") for path in multirun.rglob(name)}
    found = []
    for folder in sorted(folders):
        if "damaged-" in str(folder.relative_to(multirun)):
            continue
        record = Record(folder)
        status = record.status()
        reason = record.damage() if status is Status.DAMAGED else record.failure() if status is Status.FAILED else None
        found.append(Found(folder, status, record.manifest, reason))
    return found


def results(multirun: str | Path) -> "pd.DataFrame":
    """The tidy frame: COLUMNS first, then one `cosine_<layer>_<raw|centred>` for each definition measured.

    base_k of base_n and k of n are counts before and after; delta = k/n - base_k/base_n, missing (never 0) where
    the baseline is missing. `cosine` is the definition that the model's config fixed for headlines. Folders that
    are not done are left out with a warning.
    """
    import pandas as pd

    root = Path(multirun)
    baseline, cosines = lru_cache(_baseline), lru_cache(_cosines)  # read once a call, never kept beyond it
    frames = [
        _join(manifest, pd.read_parquet(folder / "scores.parquet"), baseline=baseline, cosines=cosines, root=root)
        for folder, manifest in _finished_cells(root)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _finished_cells(root: Path) -> Iterator[tuple[Path, Manifest]]:
    """Evaluations of cells; a baseline is no cell, it is what cells are read against."""
    for found in find(root):
        if found.status is Status.DAMAGED:
            log.warning("%s is damaged and left out; run the same command again to make it anew", found.folder)
        if found.status is Status.DONE and found.manifest is not None and "baseline" in found.manifest.facts:
            yield found.folder, found.manifest


def _join(
    manifest: Manifest, scores: "pd.DataFrame", *, baseline: "Read", cosines: "Read", root: Path
) -> "pd.DataFrame":
    """The rows of one cell: its scores, the counts before training, the cosines to its source."""
    facts, definition = manifest.facts, manifest.facts["headline"]
    frame = scores.assign(
        model=facts["model"],
        behavior=facts["behavior"],
        unit=facts["unit"],
        leak_direction=facts["leak_direction"],
        source=facts["source"],
        seed=facts["seed"],
        train_id=facts["train_id"],
        eval_id=manifest.id,
        headline=definition,
    )
    frame = frame.merge(baseline(root / facts["baseline"]), on="persona", how="left", validate="1:1")
    frame["delta"] = frame["k"] / frame["n"] - frame["base_k"] / frame["base_n"]
    pairs = cosines(root / facts["geometry"])
    own = pairs[pairs["source"] == facts["source"]].drop(columns="source")
    frame = frame.merge(own, on="persona", how="left", validate="1:1")
    frame["cosine"] = frame.get(f"cosine_{definition}", float("nan"))
    return frame[[*COLUMNS, *(name for name in own.columns if name != "persona")]]


def _baseline(folder: Path) -> "pd.DataFrame":
    """Counts before training; no rows where the baseline is not done."""
    import pandas as pd

    if Record(folder).status() is not Status.DONE:
        log.warning("no baseline in %s, so its deltas are missing; run the same command again", folder)
        return pd.DataFrame({"persona": pd.Series(dtype="str"), "base_k": 0, "base_n": 0})
    scores = pd.read_parquet(folder / "scores.parquet", columns=["persona", "k", "n"])
    return scores.rename(columns={"k": "base_k", "n": "base_n"})


def _cosines(folder: Path) -> "pd.DataFrame":
    """Cosines of every pair of personas; no rows where the geometry is not done."""
    import pandas as pd

    if Record(folder).status() is not Status.DONE:
        log.warning("no geometry in %s, so its cosines are missing; run the same command again", folder)
        return pd.DataFrame({"source": pd.Series(dtype="str"), "persona": pd.Series(dtype="str")})
    return pd.read_parquet(folder / "cosines.parquet")
