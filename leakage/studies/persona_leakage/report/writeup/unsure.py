"""Which claims do not survive the controls, and what could not have been found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakage.report.markdown import count, listed
from leakage.report.wording import is_known, plain, signed
from leakage.studies.persona_leakage.analysis.cautions import doubts
from leakage.studies.persona_leakage.analysis.tables import LEVEL
from leakage.studies.persona_leakage.report.wording import minus

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.report.cells import Cell
    from leakage.studies.persona_leakage.report.writeup.study import Study


CONTROLS = {  # by the column that is known where one could be run
    "partial_rho": "the other sources' mean delta held fixed",
    "rho_untrained": "trained negatives left out",
    "rho_unshared": "namesakes left out",
}


def unsure(study: Study) -> list[str]:
    """What controls say against claims of leakage, cells that point the other way, and what power there was."""
    shams = study.shams()
    claims = [cell for cell in study.main if _claims_leakage(cell)]
    lines = []
    for cell in claims:
        row = cell.row
        if said := doubts(row, shams.get((row["train_id"], row["eval_id"], row["judge"]))):
            lines.append(f"- {cell.title} (rho {signed(row['rho'])}): {minus('; '.join(said))}.")
    lines += [] if lines or not claims else [f"- {_unharmed(claims, sham=bool(shams))}"]
    against = [cell for cell in study.main if cell.row["finding"] == "against"]
    lines += [f"- {cell.title}: rho {signed(cell.row['rho'])} points away from leakage." for cell in against]
    return [*(lines or ["- No correlation points to leakage with p < .05."]), "", *_power(study), ""]


def _claims_leakage(cell: Cell) -> bool:
    return bool(cell.row["p"] < LEVEL and cell.row["rho"] * cell.row["leak_direction"] > 0)


def _unharmed(claims: list[Cell], *, sham: bool) -> str:
    """Which controls the claims have come through, if there were any."""
    run = [name for column, name in CONTROLS.items() if any(is_known(cell.row[column]) for cell in claims)]
    run += ["a sham adapter"] if sham else []
    if not run:
        return f"No control could be run for {count(len(claims), 'correlation')} in the direction of leakage."
    return f"Every correlation in the direction of leakage survives what could be tried: {listed(run)}."


def _power(study: Study) -> list[str]:
    missed = [cell.row for cell in study.main if cell.row["finding"] == "no gradient"]
    if not missed:
        return []
    least = max(row["detectable"] for row in missed)
    return [
        f"{count(len(missed), 'cell shows', 'cells show')} no gradient; one of |rho| = {plain(least)} or more would "
        f"have been found, after correction for the number of cells, with 80 % power; a weaker one may be there."
    ]
