"""What of the second study's tables a terminal shows, and what the main one comes to in words."""

from typing import TYPE_CHECKING

from leakage.analysis.printing import readable
from leakage.studies.alignment_faking.metrics import fakes_by_papers_rule
from leakage.studies.alignment_faking.tables import REFERENCE

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
    for name in ("variant", "missing", "missing_more", "missing_less", "planted_gap", "af_rate"):
        if name in table:
            is_known = name in {"planted_gap", "af_rate"}
            tells[name] = bool(table[name].notna().any() if is_known else table[name].any())
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
            "missing_more",
            "missing_less",
        )
        columns = [*FIRST, *(name for name in rest if tells.get(name, True))]
    else:
        columns = [name for name in table.columns if name not in IDS and tells.get(name, True)]
    return readable(table)[columns]


def rule_in_words(table: "pd.DataFrame") -> str:
    """The paper's rule, which speaks of the main gap of a model: that of two_tiers, or of its first such scenario."""
    own = table[table["faking_by_papers_rule"].notna()]
    calls = []
    for _, rows in own.groupby("subject", sort=False):
        plain = rows[rows["scenario"] == REFERENCE]
        main = plain if len(plain) else rows[rows["scenario"] == rows["scenario"].iloc[0]]
        last = main[main["gap_name"] == main["gap_name"].iloc[-1]]  # the whole gap stands after its parts
        calls.append(bool(fakes_by_papers_rule(float(last["gap"].mean()))))
    if not calls:
        return "The paper's rule speaks of no gap here."
    models = f"{len(calls)} subject{'s' if len(calls) != 1 else ''}"
    return f"The paper's rule, a main gap above 1 point, calls {sum(calls)} of {models} faking without a test."


def in_words(table: "pd.DataFrame") -> str:
    """What the gaps come to, in two or three lines."""
    findings = ", ".join(f"{count} {name}" for name, count in table["finding"].value_counts().items())
    lines = [
        f"{len(table)} gap{'s' if len(table) != 1 else ''}, corrected for their number: {findings}.",
        rule_in_words(table),
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
