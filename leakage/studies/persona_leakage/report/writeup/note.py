"""The write-up as a whole, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from leakage.report.commands import next_steps
from leakage.report.drawing import file_name
from leakage.report.markdown import count, page, table
from leakage.report.wording import is_known, signed
from leakage.studies.persona_leakage.report.compare import beside_published
from leakage.studies.persona_leakage.report.wording import delta
from leakage.studies.persona_leakage.report.writeup import findings, made, setup
from leakage.studies.persona_leakage.report.writeup.steps import steps
from leakage.studies.persona_leakage.report.writeup.study import Study
from leakage.studies.persona_leakage.report.writeup.sure import how_sure
from leakage.studies.persona_leakage.report.writeup.unsure import unsure
from leakage.studies.persona_leakage.report.writeup.usual import training_data

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.persona_leakage.report.cells import Cell
    from leakage.studies.study import Compose


def write_up(
    cells: Sequence[Cell], tables: dict[str, pd.DataFrame], figures: Sequence[str], *, compose: Compose | None = None
) -> str:
    """Markdown that tells of all cells, model by model.

    figures: names of the pictures in figures/, beside the text; compose: from overrides to settings, without which no
    cell can be run again. No sentence is written by a model.
    """
    lines = ["# Who else picks it up?", ""]
    for model in dict.fromkeys(cell.row["model"] for cell in cells):
        own = [cell for cell in cells if cell.row["model"] == model]
        lines += _of_model(Study(model, own, tables), figures, compose)
    return page(lines)


def _of_model(study: Study, figures: Sequence[str], compose: Compose | None) -> Iterator[str]:
    if study.main:
        yield from [f"## {study.model}: what was found", "", *findings.summary(study)]
        yield from ["### Methodology", "", *setup.methodology(study)]
        yield from ["### Sample training data", "", *setup.sample_data(study)]
        yield from ["### Results", "", *_hero(study, figures)]
        yield from ["### Main takeaways", "", *findings.takeaways(study)]
        yield from ["### How sure", "", *how_sure(study)]
        yield from ["### What the controls cast doubt on", "", *unsure(study)]
        yield from ["### Next steps", "", *_next(study, compose)]
        yield from ["### Set-up", "", *setup.set_up(study)]
        yield from ["### Headline numbers", "", *table(findings.HEAD, findings.headline_rows(study.main))]
        yield from ["### Beside the published rows", "", *_published(study)]
        yield from ["### Standing caveats", "", *setup.caveats(study)]
    if study.others:
        yield from [f"### {study.model}: other settings", ""]
        yield from table(findings.HEAD, findings.headline_rows(study.others))
        yield from training_data(study.complete_others())
    yield from ["### Compute", "", *made.costs(study)]
    yield from ["### Artifacts", "", *made.artifacts(study, figures)]


def _next(study: Study, compose: Compose | None) -> list[str]:
    """The steps; of a result without its folders nobody knows how it was made."""
    if not any(cell.artifacts for cell in study.main):
        return made.NOT_HERE
    return next_steps(steps(study, compose), compose)


def _hero(study: Study, figures: Sequence[str]) -> list[str]:
    name = file_name(f"{study.model}-scatter.png")
    if name not in figures:
        return ["The figure is drawn by `make figures`.", ""]
    seeds = len({cell.row["seed"] for cell in study.main})
    dot = "a bystander" if seeds == 1 else f"a bystander's mean over {seeds} seeds"
    rings = (
        " rings were trained on the opposite," if any(cell.row["trained_negatives"] > 0 for cell in study.main) else ""
    )
    star = " the red star is the source." if any(is_known(cell.row["source_delta"]) for cell in study.main) else ""
    marks = f"Each dot is {dot}; diamonds share a word with the source's name,{rings}{star}".rstrip(",")
    return [
        f"![Change against similarity to the source](figures/{name})",
        "",
        f"*{marks.removesuffix('.')}. Rows are behaviors, columns sources.*",
        "",
    ]


def _published(study: Study) -> list[str]:
    beside = beside_published(list(study.main))
    if not beside:
        return ["No cell has a published counterpart.", ""]
    same = sum(one["same"] for one in beside)
    rows = [
        [one["cell"].row["behavior"], one["cell"].row["source"], one["cell"].row["seed"]]
        + [signed(one["cell"].row["rho"]), signed(one["theirs"]["rho"])]
        + [delta(who["mean_bystander_delta"], one["theirs"]["unit"]) for who in (one["cell"].row, one["theirs"])]
        for one in beside
    ]
    head = ("behavior", "source", "seed", "rho", "published rho", "mean bystander delta", "published")
    return [
        f"rho has the sign of the published one (Qwen2.5-7B-Instruct, one seed) in {same} of "
        f"{count(len(beside), 'cell')}.",
        "",
        *table(head, rows),
    ]
