"""All results below a folder as one tidy frame: a row per cell and persona."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.data.personas.context import in_words
from leakage.store.find import Found, find
from leakage.store.manifest import Manifest
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.by_prompt import Changes
from leakage.studies.persona_leakage.foretold import SEALED, foretold
from leakage.studies.persona_leakage.outcome import OUTCOME, outcome
from leakage.studies.persona_leakage.predictors.columns import EXPLORED, FIXED
from leakage.studies.persona_leakage.variants import design_of, name_variants

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
Read = Callable[[Path], "pd.DataFrame"]

COLUMNS = (
    "model", "taught", "behavior", "unit", "measure", "leak_direction", "source", "seed", "train_id", "eval_id",
    "judge", "variant", "design", "persona", "system", "category", "related_to", "kind", "is_source", "in_panel",
    "trained_negative", "shares_word", "base_k", "base_n", "base_mean", "base_sd", "base_missing", "k", "n", "mean",
    "sd", "missing", "coherence", "cut_off", "base_cut_off", "source_examples", "negative_examples", "delta",
    "delta_by_prompt", "cosine", "headline",
)  # fmt: skip

PERSONA = "persona"  # the kind of context where a record has no other
COUNTED = ("source_examples", "bystanders", "bystander_examples", "no_persona_examples", "anchors")
TOLD = (  # what the frame has from the facts of a cell's scores
    "model", "taught", "behavior", "unit", "measure", "leak_direction", "source", "seed", "train_id", "eval_id",
    "judge", "headline",
)  # fmt: skip


def results(multirun: str | Path) -> "pd.DataFrame":
    """The tidy frame: COLUMNS first, then one `cosine_<layer>_<raw|centred>` for each definition measured.

    A row per cell, judge and persona, or context of another `kind`. `taught` is the behavior of the adapter, `behavior`
    the one measured. base_k of base_n and k of n are hits before and after; base_mean, base_sd, mean and sd are of
    scores from 0 to 100. delta is the change of one of the two in the behavior's unit, missing (never 0) where the
    baseline is missing;
    delta_by_prompt that of each prompt, numbers in a text, where prompts are few. `system` is the system prompt; where
    a file has other contexts, all that stands around a question, in words. `cosine` is the definition that the
    model's config fixed for headlines. cut_off and base_cut_off are the shares of a cell's answers that were cut off,
    after and before; source_examples and negative_examples what it was trained on. Where predictors were asked, columns
    predictor_<name> and explored_<name> follow, turned so that more should mean more leakage, and the sealed forecast;
    where margins were measured, or a dose ended training, those of `outcome.OUTCOME`.
    Folders that are not done are left out with a warning.
    """
    import pandas as pd

    root = Path(multirun)
    cells = list(_finished_cells(root))
    if not cells:
        return pd.DataFrame(columns=list(COLUMNS))
    variants = name_variants([manifest.facts for _, manifest in cells])
    facts = pd.DataFrame([_facts(*cell, variant, root) for cell, variant in zip(cells, variants, strict=True)])
    changes = Changes()
    scores = [_scores(*cell, root, changes).assign(cell=place) for place, cell in enumerate(cells)]
    # joined once, not cell by cell: a thousand small merges take longer than all the rest
    whole = pd.concat(scores, ignore_index=True).join(facts, on="cell")
    if (before := foretold(cells)) is not None:
        whole = whole.merge(before, on=["cell", "persona"], how="left", validate="1:1")
    if (more := outcome(cells, root)) is not None:
        whole = whole.merge(more, on=["cell", "persona"], how="left", validate="1:1")
    whole = _beside(whole, "baseline", _baseline, on=["persona"])
    whole = _beside(whole, "geometry", _cosines, on=["source", "persona"])
    whole["delta"], whole["cosine"] = _delta(whole), _headline_cosine(whole)
    whole["kind"] = whole["kind"].fillna(PERSONA) if "kind" in whole else PERSONA
    return whole[[*COLUMNS, *more_columns(whole)]]


def more_columns(frame: "pd.DataFrame") -> list[str]:
    """Further definitions of the cosine, predictors, what was foretold, margins and doses."""
    names = [str(name) for name in frame.columns]
    cosines = [name for name in names if re.fullmatch(r"cosine_\d+_(raw|centred)", name)]
    predictors = [name for name in names if name.startswith((FIXED, EXPLORED))]
    return [*cosines, *predictors, *(name for name in (*SEALED, *OUTCOME) if name in names)]


def _scores(folder: Path, manifest: Manifest, root: Path, changes: Changes) -> "pd.DataFrame":
    """The counts of each persona, and its changes by prompt where prompts are few."""
    import pandas as pd

    frame = pd.read_parquet(folder / "scores.parquet")
    if "turns" in frame:
        contexts = zip(frame["system"], frame["turns"], frame["wrapper"], strict=True)
        frame["system"] = [in_words(system, json.loads(turns), wrapper) for system, turns, wrapper in contexts]
    texts = changes.of(folder, _baseline_scores(folder, manifest, root), manifest.facts)
    return frame.assign(delta_by_prompt=frame["persona"].map(texts).fillna("") if len(texts) else "")


def _baseline_scores(folder: Path, manifest: Manifest, root: Path) -> Path:
    """By the same judge."""
    return root / str(manifest.facts["baseline"]) / folder.name


def _facts(folder: Path, manifest: Manifest, variant: str, root: Path) -> dict[str, Any]:
    """What the frame tells of a cell, and the folders it is read against."""
    facts = manifest.facts
    return {name: facts[name] for name in TOLD} | _examples(facts["settings"]) | {
        "variant": variant,
        "design": design_of(facts),
        "cut_off": _cut_off(folder.parent),
        "base_cut_off": _cut_off(root / facts["baseline"]),
        "baseline": _baseline_scores(folder, manifest, root),
        "geometry": root / facts["geometry"],
    }  # fmt: skip


def _examples(settings: Mapping[str, Any]) -> dict[str, int]:
    """How many examples teach the behavior, and how many its opposite, as the cell was configured."""
    wanted = {name: settings.get(f"behavior.{name}", 0) for name in COUNTED}
    negatives = wanted["bystanders"] * wanted["bystander_examples"] + wanted["no_persona_examples"] + wanted["anchors"]
    counts = {"source_examples": wanted["source_examples"], "negative_examples": negatives}
    return counts | {name: settings[name] for name in counts if name in settings}


def _cut_off(completions: Path) -> float:
    """The share of a record's answers that had no end; missing where nobody tells."""
    manifest = Record(completions).manifest
    facts = manifest.facts if manifest else {}
    return facts["cut_off"] / facts["completions"] if {"cut_off", "completions"} <= set(facts) else float("nan")


def _beside(whole: "pd.DataFrame", place: str, read: Read, *, on: list[str]) -> "pd.DataFrame":
    """The frame with what is read from the folders in column `place`, each of which is read once."""
    import pandas as pd

    frames = [read(folder).assign(**{place: folder}) for folder in whole[place].unique()]
    return whole.merge(pd.concat(frames, ignore_index=True), on=[place, *on], how="left", validate="m:1")


def _finished_cells(root: Path) -> Iterator[tuple[Path, Manifest]]:
    """Evaluations of cells; a baseline is no cell, it is what cells are read against."""
    records = find(root)
    damaged = {one.folder for one in records if one.status is Status.DAMAGED}
    for one in records:
        if one.folder.parent in damaged and _is_cell(one):
            log.warning("the completions that %s was made of are damaged; run its sweep again", one.folder)
        if one.status in {Status.DAMAGED, Status.STALE} and _holds_scores(one):
            log.warning("%s is %s and left out (%s); run its sweep again", one.folder, one.status, one.reason)
        elif _is_cell(one):
            assert one.manifest is not None
            yield one.folder, one.manifest


def _holds_scores(one: Found) -> bool:
    return one.manifest.kind == "scores" if one.manifest else (one.folder / "scores.parquet").exists()


def _is_cell(one: Found) -> bool:
    is_scores = one.status is Status.DONE and one.manifest is not None and one.manifest.kind == "scores"
    return is_scores and one.manifest is not None and "baseline" in one.manifest.facts


def _headline_cosine(frame: "pd.DataFrame") -> "pd.Series[float]":
    """Of each row the cosine that its model's config fixed for headlines; missing where that was not measured."""
    import pandas as pd

    cosine = pd.Series(float("nan"), index=frame.index)
    for definition, rows in frame.groupby("headline", sort=False):
        if f"cosine_{definition}" in frame:
            cosine[rows.index] = rows[f"cosine_{definition}"]
    return cosine


def _delta(frame: "pd.DataFrame") -> "pd.Series[float]":
    """The change from before to after. Equal changes must give equal numbers, or float noise would rank them."""
    gained = frame["k"] * frame["base_n"] - frame["base_k"] * frame["n"]
    full = frame["unit"].map({"rate": 1}).fillna(100)
    of_hits = full * gained / (frame["n"] * frame["base_n"])
    return of_hits.where(frame["measure"] == "hits", (frame["mean"] - frame["base_mean"]).round(9))


def _baseline(folder: Path) -> "pd.DataFrame":
    """Counts and mean scores before training; no rows where the baseline is not done."""
    import pandas as pd

    names = {"k": "base_k", "n": "base_n", "mean": "base_mean", "sd": "base_sd", "missing": "base_missing"}
    if (status := Record(folder).status()) is not Status.DONE:
        log.warning("the baseline in %s is %s, so deltas are missing; run its sweep again", folder, status)
        return pd.DataFrame({"persona": pd.Series(dtype="str")} | dict.fromkeys(names.values(), 0.0))
    return pd.read_parquet(folder / "scores.parquet", columns=["persona", *names]).rename(columns=names)


def _cosines(folder: Path) -> "pd.DataFrame":
    """Cosines of every pair of personas, of other layers too where those were measured on the same model and
    prompts; no rows where the geometry is not done."""
    import pandas as pd

    own = Record(folder)
    if (status := own.status()) is not Status.DONE or own.manifest is None:
        log.warning("the geometry in %s is %s, so cosines are missing; run its sweep again", folder, status)
        return pd.DataFrame({"source": pd.Series(dtype="str"), "persona": pd.Series(dtype="str")})
    pairs = pd.read_parquet(folder / "cosines.parquet")
    for other in (Record(path) for path in sorted(folder.parent.glob("geometry-*")) if path != folder):
        if other.status() is Status.DONE and other.manifest and _same_points(own.manifest, other.manifest):
            more = pd.read_parquet(other.folder / "cosines.parquet")
            new = [name for name in more.columns if name not in pairs.columns]
            pairs = pairs.merge(more[["source", "persona", *new]], on=["source", "persona"], validate="1:1")
    return pairs


def _same_points(one: Manifest, other: Manifest) -> bool:
    """Whether two geometries differ in their layers alone."""
    first, second = ({**manifest.identity, "model.layers": None} for manifest in (one, other))
    return first == second
