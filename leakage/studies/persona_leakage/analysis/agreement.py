"""How far two judges of the same completions agree."""

from shlex import quote
from typing import TYPE_CHECKING

from leakage.analysis.statistics import spearman

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

AGREEMENT = ("model", "behavior", "judge", "other", "n", "hits", "other_hits", "agreement", "kappa", "rho", "mean_gap")


def agreement(pairs: "pd.DataFrame") -> "pd.DataFrame":
    """One row per model, behavior and pair of judges.

    pairs: a row a completion both have read: model, behavior, judge, other, score, other_score (0 to 100), hit,
    other_hit. agreement: share of equal hits; kappa: Cohen's, the same beyond chance; rho: Spearman of the scores;
    mean_gap: mean of other_score - score.
    """
    import pandas as pd

    keys = ["model", "behavior", "judge", "other"]
    rows = [dict(zip(keys, key, strict=True)) | _compare(both) for key, both in pairs.groupby(keys, sort=False)]
    return pd.DataFrame(rows, columns=list(AGREEMENT))


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


def agreement_below(multirun: "Path") -> "pd.DataFrame":
    """The table of all judges that have read the same answers below a folder of results."""
    from leakage.errors import StoreError
    from leakage.studies.persona_leakage.results import verdict_pairs

    pairs = verdict_pairs(multirun)
    if pairs.empty:
        raise StoreError(
            f"below {multirun} no completions have been read by two judges; add one: "
            f"python -m leakage rejudge judge=claude judge.max_usd=5 --multirun {quote(str(multirun))}"
        )
    return agreement(pairs)
