"""What few answers, and bounds that answers cannot pass, do to a cell's numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis import reliability
from leakage.analysis.reliability import Answers
from leakage.analysis.statistics import NAN
from leakage.studies.persona_leakage.by_prompt import table_of

if TYPE_CHECKING:
    import pandas as pd

HALVED = 4  # prompts from which halves of them are taken
NEAR = 1.0  # of 100: a mean score so near to a bound is at it


def of_answers(others: "pd.DataFrame", rho: float) -> dict[str, float]:
    """answers: so many of each bystander counted, before or after, whichever is fewer (mean); reliability: of the order
    of their deltas, by halves of the prompts where these are few, else of the answers; reliability_binomial: of the
    deltas; rho_corrected: rho without this noise; ceiling: the largest |rho| that anything has with deltas so noisy."""
    counted = others.dropna(subset=["cosine", "delta", "n", "base_n"])
    if counted.empty:
        return dict.fromkeys(("answers", "reliability", "reliability_binomial", "rho_corrected", "ceiling"), NAN)
    before, after, changes = _answers(counted, "base_"), _answers(counted, ""), table_of(counted["delta_by_prompt"])
    halved = changes if changes is not None and changes.shape[1] >= HALVED else None
    split = reliability.split_half(before, after) if halved is None else reliability.split_prompts(halved)
    return {
        "answers": float(np.minimum(before.n, after.n).mean()),
        "reliability": split,
        "reliability_binomial": reliability.binomial(before, after),
        "rho_corrected": reliability.corrected(rho, split),
        "ceiling": float(np.sqrt(split)),
    }


def _answers(rows: "pd.DataFrame", when: str) -> Answers:
    n = rows[f"{when}n"].to_numpy(float)
    if rows["measure"].iloc[0] == "hits":
        return Answers(n, rows[f"{when}k"].to_numpy(float) / n, np.zeros(len(n)), hits=True)
    return Answers(n, rows[f"{when}mean"].to_numpy(float), rows[f"{when}sd"].to_numpy(float), hits=False)


def saturated(cell: "pd.DataFrame", others: "pd.DataFrame") -> dict[str, Any]:
    """source_at_bound: whether the source shows as much of the behavior after training as can be shown; at_bound: the
    share of bystanders that do. nan where nothing tells."""
    bounds = _at_bound(cell)
    return {"source_at_bound": bounds[cell["is_source"]].mean(), "at_bound": bounds[others.index].mean()}


def _at_bound(cell: "pd.DataFrame") -> "pd.Series[float]":
    """1 where the level after training is at the bound that leakage points to, 0 where not, nan where not told."""
    hits = cell["measure"].iloc[0] == "hits"
    level = 100 * cell["k"] / cell["n"] if hits else cell["mean"]
    room = 100 - level if cell["leak_direction"].iloc[0] > 0 else level
    return (room <= (0 if hits else NEAR)).astype(float).where(level.notna())
