"""How sure each cell's finding is: the checks of the written rule, from numbers that the tables have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakage.report.confidence import Check, Rated, holds, rated
from leakage.report.wording import is_known
from leakage.studies.persona_leakage.analysis.cautions import MANY_CUT_OFF
from leakage.studies.persona_leakage.analysis.tables import LEVEL

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.report.cells import Cell
    from leakage.studies.persona_leakage.report.writeup.study import Row, Study

RELIABLE = 0.8  # of the deltas' differences between personas; below it rho is a tenth too small
SMALL = 0.3  # |rho|: a gradient below it explains less than a tenth of the ranks
REPEATED = ("taught", "behavior", "source", "judge")  # of cells that differ in their seed alone


def how_sure(study: Study) -> list[str]:
    """The confidence of every main cell, with what fails and what could not be checked."""
    seeds, shams = len({cell.row["seed"] for cell in study.main}) > 1, study.shams()
    findings = []
    for cell in study.main:
        named = ("behavior", "source", *(("seed",) if seeds else ()))
        checks = checks_of(cell.row, shams.get(_key(cell.row)), _under_other_seeds(cell, study.main))
        findings.append(Rated(tuple(cell.row[name] for name in named), cell.row["finding"], checks))
    return rated(findings, ("behavior", "source", *(("seed",) if seeds else ())))


def _key(row: Row) -> tuple[str, str, str]:
    return row["train_id"], row["eval_id"], row["judge"]


def _under_other_seeds(cell: Cell, cells: list[Cell]) -> list[str]:
    """The findings of the same cell under other seeds."""
    return [
        other.row["finding"]
        for other in cells
        if other.row["seed"] != cell.row["seed"] and all(other.row[name] == cell.row[name] for name in REPEATED)
    ]


def checks_of(row: Row, sham: Row | None, other_seeds: list[str]) -> tuple[Check, ...]:
    """The checks of a row of the headline table: those of a gradient, or those of there being none.

    sham: its row of the table of designs; other_seeds: the findings under other seeds
    """
    if row["finding"] == "undefined":
        return ()
    agrees = all(one == row["finding"] for one in other_seeds) if other_seeds else None
    shared = (
        Check("deltas reliable to .8", holds(row.get("reliability"), lambda one: one >= RELIABLE),
              needed=row["finding"] == "no gradient"),
        Check("the same finding under another seed", agrees),
        Check("answers whole and all verdicts readable", _answers_are_whole(row)),
    )  # fmt: skip
    return (*(_of_none(row) if row["finding"] == "no gradient" else _of_gradient(row, sham)), *shared)


def _of_gradient(row: Row, sham: Row | None) -> tuple[Check, ...]:
    sign = 1 if row["rho"] > 0 else -1
    near = row["rho_low"] if sign > 0 else row["rho_high"]
    return (
        Check("q below .05", holds(row["q"], lambda one: one < LEVEL), needed=True),
        Check("the interval leaves out 0", holds(near, lambda one: one * sign > 0), needed=True),
        Check("p by permutation below .05", holds(row["p_permutation"], lambda one: one < LEVEL), needed=True),
        Check("holds without trained negatives", _without(row, "untrained", "trained_negatives", sign)),
        Check("holds without shared names", _without(row, "unshared", "shared_words", sign)),
        Check("specific to the source (partial rho)", _still(row["partial_rho"], row["p_partial"], sign)),
        Check("differs from a sham adapter", _differs(sham, sign)),
    )


def _of_none(row: Row) -> tuple[Check, ...]:
    inside = None
    if is_known(row["rho_low"]) and is_known(row["rho_high"]):
        inside = bool(row["rho_low"] > -SMALL and row["rho_high"] < SMALL)
    moved, mean = row["source_delta"] * row["leak_direction"], abs(row["mean_bystander_delta"])
    return (
        Check("a |rho| of .3 would have been found", holds(row["detectable"], lambda one: one <= SMALL), needed=True),
        Check("the interval lies within .3 of 0", inside),
        Check("the source took the behavior up, more than bystanders", holds(moved, lambda one: one > max(0, mean))),
    )


def _without(row: Row, kind: str, count: str, sign: int) -> bool | None:
    """Whether the gradient is there without some bystanders; where there are none, it cannot rest on them; None where
    nothing tells who they are."""
    if not is_known(row[count]):
        return None
    return _still(row[f"rho_{kind}"], row[f"p_{kind}"], sign) if row[count] else True


def _still(rho: float, p: float, sign: int) -> bool | None:
    return bool(p < LEVEL and rho * sign > 0) if is_known(rho) and is_known(p) else None


def _differs(sham: Row | None, sign: int) -> bool | None:
    if sham is None:
        return None
    near = sham["difference_low"] if sign > 0 else sham["difference_high"]
    return holds(near, lambda one: one * sign > 0)


def _answers_are_whole(row: Row) -> bool | None:
    if row["missing"] > 0:
        return False
    return holds(row["cut_off"], lambda one: one < MANY_CUT_OFF) if is_known(row["missing"]) else None
