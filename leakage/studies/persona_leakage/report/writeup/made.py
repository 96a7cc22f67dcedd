"""What a write-up's cells took, and where everything that they have left lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leakage.report.artifacts import item, paths, pictures, plans, replies
from leakage.report.commands import reading
from leakage.report.compute import Stage, compute
from leakage.report.markdown import table
from leakage.store.artifact import Part
from leakage.store.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from leakage.studies.persona_leakage.artifacts import Artifacts
    from leakage.studies.persona_leakage.report.writeup.study import Study

NOT_HERE = ["Not part of this result: it came without its folders.", ""]
GEOMETRY, RULES = ("centroids.safetensors", "cosines.parquet"), "rules"


def costs(study: Study) -> list[str]:
    """Hours, machines and dollars of each stage, each record counted once."""
    complete = _complete(study)
    if not complete:
        return NOT_HERE
    answers = [answers for one in complete for answers in (one.before, one.after) if answers]
    judged = [one.scores for one in answers]
    stages = (
        Stage("geometry", [one.geometry for one in complete if one.geometry]),
        Stage("answers for training", [part for one in complete for part in _elicited(one)]),
        Stage("training", [one.adapter for one in complete if one.adapter]),
        Stage("generation", [one.completions for one in answers]),
        Stage("judging", judged, _usd(judged)),
    )
    return compute(stages, complete[0].multirun)


def _complete(study: Study) -> list[Artifacts]:
    return [cell.artifacts for cell in study.cells if cell.artifacts]


def _elicited(one: Artifacts) -> Iterator[Part]:
    """The answers that a model gave for training, where the adapter was made of some."""
    inputs = one.adapter.manifest.inputs if one.adapter else None
    for entry in inputs or []:
        folder = (one.adapter.folder / entry.folder).resolve() if one.adapter else Path()
        if (manifest := Record(folder).manifest) and manifest.kind == "answers":
            yield Part(folder, manifest)


def _usd(scores: Iterable[Part]) -> float:
    """Dollars of the verdicts of each record; rules cost none."""
    import pandas as pd

    asked = {part.folder / "verdicts.parquet" for part in scores if part.manifest.facts["judge"] != RULES}
    verdicts = (pd.read_parquet(file) for file in sorted(asked))
    return float(sum(one["usd"].sum() for one in verdicts if "usd" in one))


def artifacts(study: Study, figures: Sequence[str]) -> list[str]:
    """Every cell's records, what several share, and the commands that show them again."""
    complete = _complete(study)
    head = ("behavior", "source", "seed", "adapter", "completions", "scores")
    rows = [
        [*(cell.row[name] for name in head[:3]), *_places(cell.artifacts)] for cell in study.cells if cell.artifacts
    ]
    if not rows:
        return NOT_HERE
    multirun = complete[0].multirun
    return [
        "Paths are below the folder of results, those of figures beside this file. Beside completions stands "
        "`config.yaml`, beside an adapter `examples.jsonl`, what it was taught from, and beside all `manifest.json`.",
        "",
        *table(head, rows),
        *_shared(complete),
        *pictures(figures, f"{study.model}-"),
        f"- Numbers: `{reading('table --format csv', multirun)}`; figures: `{reading('figures', multirun)}`",
        "",
    ]


def _places(one: Artifacts) -> list[str]:
    files = [
        one.adapter.folder / "adapter" if one.adapter else None,
        one.after.completions.folder / "completions.parquet" if one.after else None,
        one.after.scores.folder / "scores.parquet" if one.after else None,
    ]
    return [paths([file], one.multirun) for file in files]


def _shared(complete: list[Artifacts]) -> list[str]:
    """Baselines, geometry, plans and replies: each once."""
    multirun = complete[0].multirun
    before = [one.before.scores.folder / "scores.parquet" for one in complete if one.before]
    geometry = [one.geometry.folder / name for one in complete if one.geometry for name in GEOMETRY]
    completions = [one.after.completions.folder for one in complete if one.after]
    return [
        *item("Baselines", before, multirun),
        *item("Geometry", geometry, multirun),
        *plans(completions, multirun),
        *replies(multirun),
    ]
