"""The write-up of the second study as a whole, section by section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakage.report.commands import next_steps
from leakage.report.markdown import page as as_page
from leakage.report.notes import NANO
from leakage.studies.alignment_faking.report.writeup import findings, made
from leakage.studies.alignment_faking.report.writeup.steps import steps
from leakage.studies.alignment_faking.report.writeup.sure import how_sure
from leakage.studies.alignment_faking.report.writeup.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from leakage.studies.alignment_faking.report.trials import TrialPage
    from leakage.studies.study import Compose


def write_up(
    pages: Sequence[TrialPage], tables: dict[str, pd.DataFrame], figures: Sequence[str], multirun: Path, *,
    compose: Compose | None = None,
) -> str:  # fmt: skip
    """Markdown that tells of all trials.

    figures: names of the pictures in figures/, beside the text; compose: from overrides to settings, without which no
    trial can be run again. No sentence is written by a model.
    """
    return as_page(_sections(Trials(pages, tables, multirun), figures, compose))


def _sections(trials: Trials, figures: Sequence[str], compose: Compose | None) -> Iterator[str]:
    yield from ["# Does it comply more when it is trained?", "", "## What was found", "", *findings.summary(trials)]
    yield from ["### What was asked", "", *findings.asked_what(trials)]
    yield from ["### Results", "", *_hero(figures), *findings.gap_rows(trials)]
    yield from ["### Main takeaways", "", *findings.takeaways(trials)]
    yield from ["### How sure", "", *how_sure(trials)]
    yield from ["### What casts doubt", "", *findings.doubts(trials)]
    yield from ["### Next steps", "", *next_steps(steps(trials, compose), compose)]
    yield from ["### Standing caveats", "", *_caveats(trials)]
    yield from ["### Compute", "", *made.costs(trials)]
    yield from ["### Artifacts", "", *made.artifacts(trials, figures)]


def _hero(figures: Sequence[str]) -> list[str]:
    names = [name for name in figures if name.startswith("faking-compliance") and name.endswith(".png")]
    if not names:
        return ["The figures are drawn by `make figures`.", ""]
    return [line for name in names for line in (f"![Compliance by tier](figures/{name})", "")]


def _caveats(trials: Trials) -> list[str]:
    lines = [
        "The prompts are this project's wording, so rates are not those of published studies; gaps within one setting "
        "can be compared.",
        "“No gap” is no proof of none: read `detectable` beside it.",
    ]
    if trials.planted:
        lines.append("A subject with a planted gap was taught to go by the tier's tag: it tests the instrument.")
    if any(page.is_nano for page in trials.pages):
        lines.append(f"{NANO}.")
    return [*(f"- {line}" for line in lines), ""]
