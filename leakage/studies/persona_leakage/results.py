"""All results below a folder as one tidy frame: a row per cell and persona."""

import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.store.files import canonical
from leakage.store.find import Found, find
from leakage.store.record import Manifest, Record, Status

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
Read = Callable[[Path], "pd.DataFrame"]

COLUMNS = (
    "model", "taught", "behavior", "unit", "measure", "leak_direction", "source", "seed", "train_id", "eval_id",
    "judge", "variant", "design", "persona", "system", "category", "related_to", "is_source", "in_panel",
    "trained_negative", "shares_word", "base_k", "base_n", "base_mean", "base_missing", "k", "n", "mean", "sd",
    "missing", "coherence", "delta", "cosine", "headline",
)  # fmt: skip


def results(multirun: str | Path) -> "pd.DataFrame":
    """The tidy frame: COLUMNS first, then one `cosine_<layer>_<raw|centred>` for each definition measured.

    A row per cell, judge and persona. `taught` is the behavior of the adapter, `behavior` the one measured. base_k of
    base_n and k of n are hits before and after; base_mean, mean and sd are of scores from 0 to 100. delta is the change
    of one of the two in the behavior's unit, missing (never 0) where the baseline is missing. `cosine` is the
    definition that the model's config fixed for headlines. Folders that are not done are left out with a warning.
    """
    import pandas as pd

    root = Path(multirun)
    cells = list(_finished_cells(root))
    if not cells:
        return pd.DataFrame(columns=list(COLUMNS))
    variants = name_variants([manifest.facts for _, manifest in cells])
    facts = pd.DataFrame([_facts(*cell, variant, root) for cell, variant in zip(cells, variants, strict=True)])
    scores = [pd.read_parquet(folder / "scores.parquet").assign(cell=place) for place, (folder, _) in enumerate(cells)]
    # joined once, not cell by cell: a thousand small merges take longer than all the rest
    whole = pd.concat(scores, ignore_index=True).join(facts, on="cell")
    whole = _beside(whole, "baseline", _baseline, on=["persona"])
    whole = _beside(whole, "geometry", _cosines, on=["source", "persona"])
    whole["delta"], whole["cosine"] = _delta(whole), _headline_cosine(whole)
    return whole[[*COLUMNS, *(name for name in whole.columns if name.startswith("cosine_"))]]


def _facts(folder: Path, manifest: Manifest, variant: str, root: Path) -> dict[str, Any]:
    """What the frame tells of a cell, and the folders it is read against."""
    facts = manifest.facts
    told = ("model", "taught", "behavior", "unit", "measure", "leak_direction", "source", "seed", "train_id", "eval_id")
    return {name: facts[name] for name in (*told, "judge", "headline")} | {
        "variant": variant,
        "design": _design(facts),
        "baseline": root / facts["baseline"] / folder.name,
        "geometry": root / facts["geometry"],
    }


def _beside(whole: "pd.DataFrame", place: str, read: Read, *, on: list[str]) -> "pd.DataFrame":
    """The frame with what is read from the folders in column `place`, each of which is read once."""
    import pandas as pd

    found = [read(folder).assign(**{place: folder}) for folder in whole[place].unique()]
    return whole.merge(pd.concat(found, ignore_index=True), on=[place, *on], how="left", validate="m:1")


def _finished_cells(root: Path) -> Iterator[tuple[Path, Manifest]]:
    """Evaluations of cells; a baseline is no cell, it is what cells are read against."""
    for found in find(root):
        if found.status is Status.DAMAGED and (found.folder / "scores.parquet").exists():
            log.warning("%s is damaged and left out (%s); run its sweep again", found.folder, found.reason)
        if found.status is not Status.DONE or found.manifest is None or found.manifest.kind != "scores":
            continue
        if "baseline" in found.manifest.facts and is_of(Record(found.folder), Record(found.folder.parent), warn=True):
            yield found.folder, found.manifest


def is_of(scores: Record, completions: Record, *, warn: bool = False) -> bool:
    """Whether scores are of the completions that lie beside them, which may have been made again since."""
    made_from = scores.manifest.facts.get("made_from") if scores.manifest else None
    current = completions.manifest is None or made_from == completions.digest_of("completions.parquet")
    if warn and not current:
        log.warning("%s is of other answers than those beside it and left out; run its sweep again", scores.folder)
    return current


IMPLIED = {"eval.prompts": "prompts", "behavior.answers": "answers", "judge": "judge_id"}  # more prompts are others
PLAIN = {"behavior.sham": False, "behavior.answers": "templates", "behavior.anchors": 0, "train.max_steps": None}
DESIGNED = {  # what a design's name says already
    "behavior.sham", "behavior.anchors", "behavior.bystanders", "behavior.bystander_examples",
    "behavior.no_persona_examples",
}  # fmt: skip


def name_variants(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each cell, how it differs from the plain ones of its model, taught and measured behavior; "" for those.

    So cells of different settings are never taken for repetitions of one another. Plain are the commonest settings
    among cells of the published design; a control, cut-short training or generated answers are named however common.
    """
    found: dict[tuple[str, str, str], Counter[tuple[bool, str, int]]] = defaultdict(Counter)
    for one in facts:
        key = one["model"], one["taught"], one["behavior"]
        found[key][_is_plain(one), canonical(one["settings"]), one["completions"]] += 1
    names = []
    for one in facts:
        counts = found[one["model"], one["taught"], one["behavior"]]
        # of equally common settings those with more completions come first
        main = json.loads(max(counts, key=lambda key: (key[0], counts[key], key[2], key[1]))[1])
        names.append(_describe(one["settings"], main, _design(one)))
    return names


def _design(facts: Mapping[str, Any]) -> str:
    """The name of a control, or "published" for the plain one."""
    return str(facts.get("design", "published"))


def _is_plain(facts: Mapping[str, Any]) -> bool:
    settings = facts["settings"]
    usual = all(settings.get(name, value) == value for name, value in PLAIN.items())
    return usual and _design(facts) == "published"


def _describe(settings: Mapping[str, Any], main: Mapping[str, Any], design: str) -> str:
    """How settings differ from the main ones, in one line; digests cut short or, where implied, left out."""
    told = {name: value for name, value in settings.items() if main.get(name) != value}
    told |= {name: settings[name] for name, usual in PLAIN.items() if settings.get(name, usual) != usual}
    if design != "published":
        told = {name: value for name, value in told.items() if name not in DESIGNED} | {"design": design}
    implied = {digest for name, digest in IMPLIED.items() if name in told}
    return " ".join(f"{name}={_cut(value)}" for name, value in sorted(told.items()) if name not in implied)


def _cut(value: Any) -> Any:
    return value[:8] if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else value


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

    names = {"k": "base_k", "n": "base_n", "mean": "base_mean", "missing": "base_missing"}
    if (status := Record(folder).status()) is not Status.DONE or not is_of(Record(folder), Record(folder.parent)):
        how = "of other answers than those beside it" if status is Status.DONE else status
        log.warning("the baseline in %s is %s, so deltas are missing; run its sweep again", folder, how)
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


def verdict_pairs(multirun: Path) -> "pd.DataFrame":
    """A row a completion and pair of judges that have read it: model, behavior, judge, other, score, other_score,
    hit, other_hit; completions that either could not tell are left out."""
    import pandas as pd

    columns = ["model", "behavior", "judge", "other", "score", "other_score", "hit", "other_hit"]
    by_answers: dict[Path, list[Found]] = defaultdict(list)
    for found in find(multirun):
        if found.status is not Status.DONE or found.manifest is None or found.manifest.kind != "scores":
            continue
        if is_of(Record(found.folder), Record(found.folder.parent)):
            by_answers[found.folder.parent].append(found)
    frames = [_pair(*pair) for judged in by_answers.values() for pair in combinations(judged, 2)]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _pair(one: Found, other: Found) -> "pd.DataFrame":
    import pandas as pd

    assert one.manifest is not None
    assert other.manifest is not None
    keys = ["persona", "prompt", "sample"]
    first, second = (
        pd.read_parquet(found.folder / "verdicts.parquet", columns=[*keys, "score", "hit"]) for found in (one, other)
    )
    second = second.rename(columns={"score": "other_score", "hit": "other_hit"})
    both = first.merge(second, on=keys, validate="1:1").dropna(subset=["score", "other_score"])
    facts = one.manifest.facts
    # by their folders' names: two prompts or limits of one model are two judges
    return both.assign(model=facts["model"], behavior=facts["behavior"], judge=one.folder.name, other=other.folder.name)
