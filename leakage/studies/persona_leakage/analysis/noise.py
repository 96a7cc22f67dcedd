"""What few answers, and bounds that answers cannot pass, do to a cell's numbers."""

from typing import Any

import numpy as np

from leakage.analysis import reliability
from leakage.analysis.reliability import Answers
from leakage.analysis.statistics import NAN, known
from leakage.studies.persona_leakage.analysis.cells import Columns, those
from leakage.studies.persona_leakage.by_prompt import table_of

HALVED = 4  # prompts from which halves of them are taken
NEAR = 1.0  # of 100: a mean score so near to a bound is at it


def of_answers(others: Columns, rho: float) -> dict[str, float]:
    """answers: so many of each bystander counted, before or after, whichever is fewer (mean); reliability: of the order
    of their deltas, by halves of the prompts where these are few, else of the answers; reliability_binomial: of the
    deltas; rho_corrected: rho without this noise; ceiling: the largest |rho| that anything has with deltas so noisy."""
    numbers = np.array([others[name] for name in ("cosine", "delta", "n", "base_n")], dtype=float)
    counted = those(others, ~np.isnan(numbers).any(axis=0))
    if not len(counted["n"]):
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


def _answers(rows: Columns, when: str) -> Answers:
    n, k, mean, sd = (rows[f"{when}{name}"].astype(float) for name in ("n", "k", "mean", "sd"))
    if rows["measure"][0] == "hits":
        return Answers(n, k / n, np.zeros(len(n)), hits=True)
    return Answers(n, mean, sd, hits=False)


def saturated(source: Columns, others: Columns) -> dict[str, Any]:
    """source_at_bound: whether the source shows as much of the behavior after training as can be shown; at_bound: the
    share of bystanders that do. nan where nothing tells."""
    return {"source_at_bound": _at_bound(source), "at_bound": _at_bound(others)}


def _at_bound(rows: Columns) -> float:
    """The share whose level after training is at the bound that leakage points to; nan where nothing tells."""
    hits = bool((rows["measure"] == "hits").all())
    k, n, mean = (rows[name].astype(float) for name in ("k", "n", "mean"))
    (level,) = known(100 * k / n if hits else mean)
    room = 100 - level if (rows["leak_direction"] > 0).all() else level
    return float((room <= (0 if hits else NEAR)).mean()) if len(room) else NAN
