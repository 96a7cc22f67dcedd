"""All results below a folder as one tidy frame: a row per cell and persona."""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.store.files import canonical
from leakage.store.record import MANIFEST, Manifest, Record, Status

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
Read = Callable[[Path], "pd.DataFrame"]

COLUMNS = (
    "model", "behavior", "unit", "leak_direction", "source", "seed", "train_id", "eval_id", "variant", "persona",
    "category",
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
        if status is Status.MISSING:  # Hydra has made the folder, and nothing has come of it
            continue
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
    cells = list(_finished_cells(root))
    frames = [
        _join(folder, manifest, baseline=baseline, cosines=cosines, root=root).assign(variant=variant)
        for (folder, manifest), variant in zip(cells, name_variants([one.facts for _, one in cells]), strict=True)
    ]
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    whole = pd.concat(frames, ignore_index=True)
    return whole[[*COLUMNS, *(name for name in whole.columns if name.startswith("cosine_"))]]


def _finished_cells(root: Path) -> Iterator[tuple[Path, Manifest]]:
    """Evaluations of cells; a baseline is no cell, it is what cells are read against."""
    for found in find(root):
        if found.status is Status.DAMAGED and (found.folder / "scores.parquet").exists():
            log.warning("%s is damaged and left out (%s); run its sweep again", found.folder, found.reason)
        if found.status is Status.DONE and found.manifest is not None and "baseline" in found.manifest.facts:
            yield found.folder, found.manifest


def name_variants(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each cell, how its settings differ from the commonest of its model and behavior; "" for those.

    So cells of different settings are never taken for repetitions of one another. Of equally common settings those
    with more completions come first.
    """
    found: dict[tuple[str, str], Counter[tuple[str, int]]] = defaultdict(Counter)
    for one in facts:
        found[one["model"], one["behavior"]][canonical(one["settings"]), one["completions"]] += 1
    names = []
    for one in facts:
        counts = found[one["model"], one["behavior"]]
        main = json.loads(max(counts, key=lambda key: (counts[key], key[1], key[0]))[0])
        other = {name: value for name, value in one["settings"].items() if main.get(name) != value}
        names.append(_describe(other))
    return names


def _describe(settings: Mapping[str, Any]) -> str:
    """Settings in one line, digests of models, personas and prompts cut short."""
    implied = {"prompts"} if "eval.prompts" in settings else set()  # more prompts are other prompts
    told = {name: value if "." in name else value[:8] for name, value in settings.items() if name not in implied}
    return " ".join(f"{name}={value}" for name, value in sorted(told.items()))


def _join(folder: Path, manifest: Manifest, *, baseline: "Read", cosines: "Read", root: Path) -> "pd.DataFrame":
    """The rows of one cell: its scores, the counts before training, the cosines to its source."""
    import pandas as pd

    facts, definition = manifest.facts, manifest.facts["headline"]
    frame = pd.read_parquet(folder / "scores.parquet").assign(
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
    return frame


def _baseline(folder: Path) -> "pd.DataFrame":
    """Counts before training; no rows where the baseline is not done."""
    import pandas as pd

    if (status := Record(folder).status()) is not Status.DONE:
        log.warning("the baseline in %s is %s, so deltas are missing; run its sweep again", folder, status)
        return pd.DataFrame({"persona": pd.Series(dtype="str"), "base_k": 0, "base_n": 0})
    scores = pd.read_parquet(folder / "scores.parquet", columns=["persona", "k", "n"])
    return scores.rename(columns={"k": "base_k", "n": "base_n"})


def _cosines(folder: Path) -> "pd.DataFrame":
    """Cosines of every pair of personas; no rows where the geometry is not done."""
    import pandas as pd

    if (status := Record(folder).status()) is not Status.DONE:
        log.warning("the geometry in %s is %s, so cosines are missing; run its sweep again", folder, status)
        return pd.DataFrame({"source": pd.Series(dtype="str"), "persona": pd.Series(dtype="str")})
    return pd.read_parquet(folder / "cosines.parquet")
