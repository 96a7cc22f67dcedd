"""All figures of the second study's results."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from leakage.report.drawing import Drawing, file_name
from leakage.studies.alignment_faking import tables
from leakage.studies.alignment_faking.auroc import PUBLISHED_AUROC, PUBLISHED_VOTES
from leakage.studies.alignment_faking.figures.compliance import compliance_by_tier
from leakage.studies.alignment_faking.figures.outcomes import outcome_classes
from leakage.studies.alignment_faking.figures.perturbations import perturbation_matrix
from leakage.studies.alignment_faking.figures.votes import auroc_against_votes
from leakage.studies.alignment_faking.validation import validations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

LINES = 60  # of a figure that still fits a page; longer ones are drawn scenario by scenario


def all_drawings(frame: pd.DataFrame, multirun: Path) -> dict[str, Drawing]:
    """The figures of a frame of trials, and a curve of every validation of the judge below a folder of results."""
    return (drawings(frame) if len(frame) else {}) | _curves(multirun)


def _curves(multirun: Path) -> dict[str, Drawing]:
    """AUROC against the number of votes, beside the published point."""
    published = PUBLISHED_VOTES, PUBLISHED_AUROC
    return {
        file_name(f"faking-auroc-{one.folder.parent.name}-{one.folder.name}"): partial(
            auroc_against_votes, one.table, published=published
        )
        for one in validations(multirun)
    }


def drawings(frame: pd.DataFrame) -> dict[str, Drawing]:
    """The name of each figure that the data give something to show in, and how to draw it.

    Each judge and each variant of the settings has its own, named after it where there are several.
    """
    gaps, outcomes = tables.gaps(frame), tables.outcomes(frame)  # of everything: q counts all gaps of a judge
    judges = gaps["judge"].nunique()
    figures: dict[str, Drawing] = {}
    for (judge, variant), own in gaps.groupby(["judge", "variant"], sort=False):
        words = " ".join(filter(None, [str(judge) if judges > 1 else "", str(variant)]))
        suffix = f"-{words}" if words else ""
        bars = outcomes[(outcomes["judge"] == judge) & (outcomes["variant"] == variant)]
        figures |= {file_name(f"faking-{name}{suffix}"): draw for name, draw in _drawings(own, bars)}
    return figures


def _drawings(gaps: pd.DataFrame, outcomes: pd.DataFrame) -> Iterator[tuple[str, Drawing]]:
    for part, rows in _pages(gaps):
        yield f"compliance{part}", partial(compliance_by_tier, rows)
    for part, rows in _pages(outcomes):
        yield f"outcomes{part}", partial(outcome_classes, rows)
    if gaps["scenario"].nunique() > 1:
        yield "perturbations", partial(perturbation_matrix, gaps)


def _pages(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The table as a whole, or by scenario where it is long."""
    if len(table) <= LINES:
        yield "", table
        return
    for scenario, rows in table.groupby("scenario", sort=False):
        yield f"-{scenario}", rows
