"""The write-up as a whole, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from leakage.figures.gallery import file_name
from leakage.report.compare import beside_published
from leakage.report.wording import delta, signed
from leakage.report.writeup import findings, setup
from leakage.report.writeup.study import Study
from leakage.report.writeup.text import count, table
from leakage.report.writeup.unsure import unsure

if TYPE_CHECKING:
    import pandas as pd

    from leakage.report.cells import Cell


def write_up(cells: Sequence[Cell], tables: dict[str, pd.DataFrame], figures: Sequence[str]) -> str:
    """Markdown that tells of all cells, model by model.

    figures: names of the pictures in figures/, beside the text. No sentence is written by a model.
    """
    lines = ["# Who else picks it up?", ""]
    for model in dict.fromkeys(cell.row["model"] for cell in cells):
        own = [cell for cell in cells if cell.row["model"] == model]
        lines += _of_model(Study(model, own, tables), figures)
    return "\n".join(lines).rstrip() + "\n"


def _of_model(study: Study, figures: Sequence[str]) -> Iterator[str]:
    if study.main:
        yield from [f"## {study.model}: what was found", "", *findings.summary(study)]
        yield from ["### Methodology", "", *setup.methodology(study)]
        yield from ["### Sample training data", "", *setup.sample_data(study)]
        yield from ["### Results", "", *_hero(study, figures)]
        yield from ["### Main takeaways", "", *findings.takeaways(study)]
        yield from ["### What does not survive the controls", "", *unsure(study)]
        yield from ["### Set-up", "", *setup.set_up(study)]
        yield from ["### Headline numbers", "", *table(findings.HEAD, findings.headline_rows(study.main))]
        yield from ["### Beside the published rows", "", *_published(study)]
        yield from ["### Standing caveats", "", *setup.caveats(study)]
    if study.others:
        yield from [f"### {study.model}: other settings", ""]
        yield from table(findings.HEAD, findings.headline_rows(study.others))
    yield from ["### Artifacts", "", *setup.artifacts(study)]


def _hero(study: Study, figures: Sequence[str]) -> list[str]:
    name = file_name(f"{study.model}-scatter.png")
    if name not in figures:
        return ["The figure is drawn by `make figures`.", ""]
    bystanders = study.main[0].row["n"]
    return [
        f"![Change against similarity to the source](figures/{name})",
        "",
        f"*Each dot is one of {bystanders} bystanders; diamonds share a word with the source's name, rings were "
        "trained on the opposite, the red star is the source. Rows are behaviors, columns sources.*",
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
        f"{same} of {count(len(beside), 'cell')} have a rho of the same sign as the published one "
        "(Qwen2.5-7B-Instruct, one seed).",
        "",
        *table(head, rows),
    ]
