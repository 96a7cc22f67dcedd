"""The personas of a cell as its page's scatter and table show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leakage.report.pages import records
from leakage.report.wording import is_known, signed
from leakage.studies.persona_leakage import labels
from leakage.studies.persona_leakage.report.wording import delta, level, state

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.report.cells import Cell

KINDS = {
    "source": "source",
    "bystander": "bystander",
    "shares_word": "name shares a word with the source's",
    "outside": "outside the panel, counts nowhere",
}


def kind(row: dict[str, Any]) -> str:
    """Which mark a persona gets; that it is a trained negative is told beside."""
    if row["is_source"]:
        return "source"
    if not row["in_panel"]:
        return "outside"
    return "shares_word" if row["shares_word"] else "bystander"


def personas(cell: Cell) -> list[dict[str, Any]]:
    """A row a persona, the source first and then those that changed most."""
    rows = records(cell.rows)
    unit = cell.row["unit"]
    shown = [
        {
            "persona": str(row["persona"]),
            "kind": kind(row),
            "trained": bool(row["trained_negative"]),
            "category": str(row["category"]) if is_known(row["category"]) else "",
            "system": str(row["system"]) if is_known(row["system"]) else "",
            "cosine": _number(row["cosine"]),
            "delta": _number(row["delta"]),
            "delta_text": delta(row["delta"], unit),
            "cosine_text": signed(row["cosine"], 3),
            "before": state(row, before=True),
            "after": state(row, before=False),
            "before_value": _number(level(row, before=True)),
            "after_value": _number(level(row, before=False)),
        }
        for row in rows
    ]
    return sorted(shown, key=lambda one: (one["kind"] != "source", -abs(one["delta"] or 0), one["persona"]))


def why_none(cell: Cell) -> str:
    """Why there is nothing to draw; empty when there is."""
    rows = cell.rows
    if rows["delta"].isna().all():
        return "The baseline is missing, so no change is known. Run the same command again: it makes what is missing."
    if rows["cosine"].isna().all():
        return "The geometry is missing, so no cosine is known. Run the same command again: it makes what is missing."
    return "" if (rows["delta"].notna() & rows["cosine"].notna()).any() else "No persona has both a delta and a cosine."


def axes(cell: Cell) -> dict[str, str]:
    """What the axes say."""
    first = cell.rows.iloc[0].to_dict()
    return {"x": f"cosine to {first['source']} ({labels.definition(first['headline'])})", "y": labels.delta(first)}


def _number(value: Any) -> float | None:
    return round(float(value), 6) if is_known(value) else None
