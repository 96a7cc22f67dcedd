"""Our rows beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.report.cells import Cell


def beside_published(cells: list[Cell]) -> list[dict[str, Any]]:
    """A row for each cell that has a published counterpart: `cell`, `theirs`, and whether rho has the same sign.

    Controls and cells measured on another behavior than the taught one have none.
    """
    from leakage.studies.persona_leakage.analysis.published import published

    theirs = {(row["behavior"], row["source"]): row for row in published().to_dict("records")}
    pairs = []
    for cell in cells:
        row = cell.row
        other = theirs.get((row["behavior"], row["source"]))
        if other and not row["variant"] and row["taught"] == row["behavior"]:
            known = row["rho"] == row["rho"]
            pairs.append({"cell": cell, "theirs": other, "same": known and (row["rho"] > 0) == (other["rho"] > 0)})
    return pairs
