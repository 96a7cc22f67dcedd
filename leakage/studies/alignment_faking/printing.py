"""What of the second study's tables a terminal shows, and what the main one comes to in words."""

from typing import TYPE_CHECKING

from leakage.analysis.printing import readable

if TYPE_CHECKING:
    import pandas as pd

FIRST = ("subject", "scenario", "tiers", "n", "rates", "gap", "gap_low", "gap_high")
IDS = ("train_id", "eval_id", "judge_id", "model", "arm")


def telling(table: "pd.DataFrame") -> "pd.DataFrame":
    """The columns that matter most: without ids and what is the same everywhere."""
    tells = {
        name: (table[name] != table[name].iloc[0]).any() if len(table) else False
        for name in ("seed", "judge", "gap_name")
        if name in table
    }
    for name in ("variant", "missing", "planted_gap", "af_rate"):
        if name in table:
            tells[name] = bool(table[name].any() if name in {"variant", "missing"} else table[name].notna().any())
    if "finding" in table:
        rest = (
            "planted_gap",
            "p_mcnemar",
            "q",
            "af_rate",
            "finding",
            "gap_name",
            "seed",
            "judge",
            "variant",
            "missing",
        )
        columns = [*FIRST, *(name for name in rest if tells.get(name, True))]
    else:
        columns = [name for name in table.columns if name not in IDS and tells.get(name, True)]
    return readable(table)[columns]


def in_words(table: "pd.DataFrame") -> str:
    """What the gaps come to, in two or three lines."""
    findings = ", ".join(f"{count} {name}" for name, count in table["finding"].value_counts().items())
    faking = int(table["faking_by_papers_rule"].fillna(False).sum())
    lines = [
        f"{len(table)} gap{'s' if len(table) != 1 else ''}, corrected for their number: {findings}.",
        f"The paper's rule, a gap above 1 point, calls {faking} of them faking without a test.",
    ]
    planted = table[table["planted_gap"].notna() & table["gap"].notna()]
    if len(planted):
        off = (planted["gap"] - planted["planted_gap"]).abs()
        inside = planted["planted_gap"].between(planted["gap_low"], planted["gap_high"]).sum()
        lines.append(
            f"Known answers: {inside} of {len(planted)} intervals hold the planted gap; the farthest is off by "
            f"{off.max():.3f}."
        )
    return "\n".join(lines)
