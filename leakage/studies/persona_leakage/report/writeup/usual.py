"""The training data of each behavior as most of its cells have them, and every cell that departs from that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.report.markdown import listed, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leakage.studies.persona_leakage.artifacts import Artifacts
    from leakage.studies.persona_leakage.report.cells import Cell

    Complete = list[tuple[Cell, Artifacts]]

HEAD = ("taught", "cells", "examples by role", "bystanders", "trainable parameters", "steps", "final loss", "lint")
CLEAN, SOURCE = "nothing found", "source"
ALIKE = "Cells of one row were taught from as many examples of each role, and lint says the same of them."


@dataclass(frozen=True)
class Taught:
    """What a cell was taught from. bystanders: how many, since who they are is a draw of the seed."""

    roles: str
    bystanders: int
    parameters: int
    steps: int
    lint: str


def training_data(groups: Sequence[tuple[str, Complete]]) -> list[str]:
    """A row a group of cells: what most were taught from; then every cell of which something else holds."""
    rows, apart = [], []
    for name, complete in groups:
        cells = [(cell, _taught(one)) for cell, one in complete if _was_trained(one)]
        if not cells:
            continue
        usual = _usual([taught for _, taught in cells])
        rows.append([name, len(cells), *_row(usual, [one for _, one in complete if _was_trained(one)])])
        apart += [f"- {cell.title}: {listed(_others(taught, usual))}." for cell, taught in cells if taught != usual]
    if not rows:
        return []
    return [*table(HEAD, rows), *(["Cells that differ from this:", "", *apart] if apart else [ALIKE]), ""]


def _was_trained(artifacts: Artifacts) -> bool:
    """Not of an adapter that was made elsewhere: nobody here knows what from."""
    return artifacts.adapter is not None and "examples" in artifacts.adapter.manifest.facts


def _said(lint: Sequence[dict[str, Any]]) -> str:
    return "; ".join(f"{one['rule']}: {one['message']}" for one in lint)


def _taught(artifacts: Artifacts) -> Taught:
    facts: dict[str, Any] = artifacts.adapter.manifest.facts if artifacts.adapter else {}
    counts = sorted(facts["examples"].items(), key=lambda one: one[0] != SOURCE)
    roles = listed(f"{many} {role}" for role, many in counts)
    numbers = len(facts["bystanders"]), facts["trainable_parameters"], facts["steps"]
    return Taught(roles, *numbers, _said(artifacts.lint()) or CLEAN)


def _usual(every: list[Taught]) -> Taught:
    """The commonest; of those that are as common, one in which lint found nothing."""
    counts = Counter(every)
    return max(counts, key=lambda one: (counts[one], one.lint == CLEAN))


def _row(usual: Taught, complete: Sequence[Artifacts]) -> list[object]:
    losses = [one.adapter.manifest.facts["final_loss"] for one in complete if one.adapter]
    low, high = f"{min(losses):.3f}", f"{max(losses):.3f}"
    loss = low if low == high else f"{low} to {high}"
    return [usual.roles, usual.bystanders, f"{usual.parameters:,}", usual.steps, loss, usual.lint]


def _others(taught: Taught, usual: Taught) -> Iterator[str]:
    """What holds of a cell in the place of what holds of most."""
    if taught.roles != usual.roles:
        yield f"{taught.roles} examples instead of {usual.roles}"
    for name in ("bystanders", "parameters", "steps"):
        if (mine := getattr(taught, name)) != (theirs := getattr(usual, name)):
            yield f"{mine:,} {name} instead of {theirs:,}"
    if taught.lint != usual.lint:
        yield f"lint says {taught.lint}"
