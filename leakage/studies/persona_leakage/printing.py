"""What of the first study's tables a terminal shows, and what the headline table comes to in words."""

from typing import TYPE_CHECKING

from leakage.analysis.printing import readable
from leakage.studies.persona_leakage.analysis.tables import LEVEL, directions

if TYPE_CHECKING:
    import pandas as pd

FIRST = (
    "model", "behavior", "source", "seed", "n", "source_delta", "mean_bystander_delta", "rho", "p", "leak_direction",
    "finding",
)  # fmt: skip
IDS = ("train_id", "eval_id")


def telling(table: "pd.DataFrame") -> "pd.DataFrame":
    """The columns that matter most, for a terminal: without ids and what is the same everywhere."""
    tells = {
        "unit": table["unit"].nunique() > 1 if "unit" in table else False,
        "taught": (table["taught"] != table["behavior"]).any() if "taught" in table else False,
        "variant": table["variant"].any(),
        "judge": table["judge"].nunique() > 1,
        "missing": (table["missing"] > 0).any() if "missing" in table else False,
    }
    if "finding" in table:
        columns = [*FIRST, *(name for name, shown in tells.items() if shown)]
    else:
        columns = [name for name in table.columns if name not in IDS and tells.get(name, True)]
    return readable(table)[columns]


def in_words(table: "pd.DataFrame") -> str:
    """What the headline table comes to, in one line."""
    counts = directions(table)
    many = f"{counts['significant']} of {counts['cells']} correlations have p < {LEVEL:.2f}".replace("0.", ".")
    leak = f"{counts['leak']} in the direction of leakage, {counts['against']} against it"
    findings = ", ".join(f"{count} {name}" for name, count in table["finding"].value_counts().items())
    return f"{many}: {leak}.\nFindings, corrected for the number of cells: {findings}."
