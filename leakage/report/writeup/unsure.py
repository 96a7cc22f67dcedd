"""Which claims do not survive the controls, and what could not have been found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakage.analysis.cautions import doubts
from leakage.analysis.tables import LEVEL
from leakage.report.wording import minus, plain, signed
from leakage.report.writeup.text import count

if TYPE_CHECKING:
    from leakage.report.writeup.study import Study


def unsure(study: Study) -> list[str]:
    """Claims of leakage that do not survive a control, and cells that point the other way."""
    shams = {(row["train_id"], row["eval_id"], row["judge"]): row for row in study.rows_of("designs", design="sham")}
    lines = []
    for cell in study.main:
        row = cell.row
        if row["p"] < LEVEL and row["rho"] * row["leak_direction"] > 0:
            said = doubts(row, shams.get((row["train_id"], row["eval_id"], row["judge"])))
            lines += [f"- {cell.title} (rho {signed(row['rho'])}): {minus('; '.join(said))}."] if said else []
    against = [cell for cell in study.main if cell.row["finding"] == "against"]
    lines += [f"- {cell.title}: rho {signed(cell.row['rho'])} points away from leakage." for cell in against]
    lines = lines or ["- Every correlation in the direction of leakage survives every control that was run."]
    return [*lines, "", *_power(study), ""]


def _power(study: Study) -> list[str]:
    missed = [cell.row for cell in study.main if cell.row["finding"] == "no gradient"]
    if not missed:
        return []
    least = max(row["detectable"] for row in missed)
    return [
        f"{count(len(missed), 'cell shows', 'cells show')} no gradient; one of |rho| = {plain(least)} or more would "
        f"have been found with 80 % power, a weaker one may be there."
    ]
