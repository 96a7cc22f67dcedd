"""Cells by their dose: how far the source took the behavior up, and what leaked at that."""

from typing import TYPE_CHECKING, Any

from leakage.analysis.statistics import NAN, mean_known, spearman
from leakage.studies.persona_leakage.analysis.cells import CELL, bystanders, cells
from leakage.studies.persona_leakage.analysis.tables import headline

if TYPE_CHECKING:
    import pandas as pd

DOSES = (
    *CELL, "unit", "until", "dose", "steps", "source_delta", "source_at_bound", "mean_bystander_delta", "breadth", "n",
    "rho", "source_margin", "bystander_margin", "breadth_margin", "rho_margin",
)  # fmt: skip


def by_dose(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell, those of one model and behavior with the smallest dose first.

    source_delta: the dose as evaluation finds it; dose, steps: as training measured it last, and after how many steps
    source_at_bound: 1 where every answer of the source shows the behavior, so that no larger dose can be told from it
    breadth: mean bystander delta as a share of the source's; *_margin: the same of changes of the margin, which has no
    bound; rho_margin: Spearman of cosine and change of the margin over bystanders. nan where that was not measured
    """
    import pandas as pd

    measured = [key | _row(rows) for key, rows in cells(frame)]
    if not measured:
        return pd.DataFrame(columns=list(DOSES))
    headlines = headline(frame)[[*CELL, "unit", "source_delta", "source_at_bound", "mean_bystander_delta", "n", "rho"]]
    whole = headlines.merge(pd.DataFrame(measured), on=CELL, validate="1:1")
    whole["breadth"] = whole["mean_bystander_delta"] / whole["source_delta"]
    whole["size"] = whole["source_delta"].abs()
    ordered = whole.sort_values(["model", "behavior", "size"], kind="stable")
    return ordered[list(DOSES)].reset_index(drop=True)


def _row(rows: "pd.DataFrame") -> dict[str, Any]:
    trained = {name: rows[name].iloc[0] if name in rows else NAN for name in ("until", "dose", "steps")}
    if "delta_margin" not in rows:
        return trained | dict.fromkeys(("source_margin", "bystander_margin", "breadth_margin", "rho_margin"), NAN)
    others = bystanders(rows)
    source, mean = (mean_known(one["delta_margin"]) for one in (rows[rows["is_source"]], others))
    return trained | {
        "source_margin": source,
        "bystander_margin": mean,
        "breadth_margin": mean / source,
        "rho_margin": spearman(others["cosine"], others["delta_margin"]).rho,
    }
