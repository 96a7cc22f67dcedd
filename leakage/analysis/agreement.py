"""How far two judges of the same completions agree."""

from typing import TYPE_CHECKING

from leakage.analysis.statistics import spearman

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

JUDGES = ("judge", "other")
PAIR = (*JUDGES, "score", "other_score", "hit", "other_hit")  # of a reply that both have read
AGREEMENT = ("n", "hits", "other_hits", "agreement", "kappa", "rho", "mean_gap")


def agreement(pairs: "pd.DataFrame", keys: "Sequence[str]") -> "pd.DataFrame":
    """One row per key and pair of judges.

    pairs: a row a reply that both have read, keys and PAIR, scores of 0 to 100. agreement: share of equal hits; kappa:
    Cohen's, the same beyond chance; rho: Spearman of the scores; mean_gap: mean of other_score - score.
    """
    import pandas as pd

    names = [*keys, *JUDGES]
    rows = [dict(zip(names, key, strict=True)) | _compare(both) for key, both in pairs.groupby(names, sort=False)]
    return pd.DataFrame(rows, columns=[*names, *AGREEMENT])


def _compare(both: "pd.DataFrame") -> dict[str, object]:
    hit, other = both["hit"].astype(bool), both["other_hit"].astype(bool)
    equal = float((hit == other).mean())
    return {
        "n": len(both),
        "hits": int(hit.sum()),
        "other_hits": int(other.sum()),
        "agreement": equal,
        "kappa": kappa(equal, float(hit.mean()), float(other.mean())),
        "rho": spearman(both["score"], both["other_score"]).rho,
        "mean_gap": float((both["other_score"] - both["score"]).mean()),
    }


def kappa(equal: float, rate: float, other_rate: float) -> float:
    """Cohen's kappa of two yes-or-no judges; nan where chance alone would make them agree always."""
    chance = rate * other_rate + (1 - rate) * (1 - other_rate)
    return (equal - chance) / (1 - chance) if chance < 1 else float("nan")
