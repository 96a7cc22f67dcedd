"""The other tables of the second study: the tidy frame of trials in, a DataFrame out."""

from typing import TYPE_CHECKING, Any

from leakage.analysis.statistics import NAN
from leakage.studies.alignment_faking import metrics
from leakage.studies.alignment_faking.gaps import CELL, by_prompt, cells, declared, gaps, pairs
from leakage.studies.alignment_faking.metrics import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    Row = dict[str, Any]

__all__ = ["by_seed", "gaps", "missing_reasons", "motives", "outcomes", "perturbations"]

REPEATED = ["subject", "scenario", "gap_name", "judge", "variant"]
SUBJECT = ["subject", "judge", "variant"]
REFERENCE = "two_tiers"  # every other scenario changes a fact of this one
REFERENCES = {"pre_deployment_training": "pre_deployment"}  # but for these: the difference is goal guarding
SHARES = {name: f"share_{name.replace(' ', '_').lower()}" for name in OUTCOMES}
COUNTS = {name: name.replace(" ", "_").lower() for name in OUTCOMES}
OUTCOME = (*CELL, "tier", "n", "missing", *COUNTS.values(), *SHARES.values(), "share_missing")
REASONS = (*CELL, "tier", "reason", "count", "asked")
MOTIVES = (*CELL, "tier", "motive", "count", "n", "share")
PERTURBATIONS = (
    "subject", "scenario", "gap_name", "n", "gap", "reference_gap", "difference", "difference_low", "difference_high",
    "seed", "judge", "variant", "reference",
)  # fmt: skip
SEEDS = (*REPEATED, "seeds", "mean_gap", "gap_low", "gap_high", "sd")


def _by_tier(frame: "pd.DataFrame") -> "Iterator[tuple[Row, pd.DataFrame]]":
    """Each cell's tiers in the scenario's order."""
    for key, cell in cells(frame):
        for tier, rows in cell.sort_values("tier_place", kind="stable").groupby("tier", sort=False):
            yield key | {"tier": tier}, rows


def outcomes(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per cell and tier: n replies with a class, those without and their share of all that was asked, and count
    and share of each class, one of which is "unclassified": a verdict that it hangs on is missing."""
    import pandas as pd

    rows = []
    for key, tier in _by_tier(frame):
        counts = {name: int((tier["outcome"] == name).sum()) for name in OUTCOMES}
        n = sum(counts.values())
        shares = {SHARES[name]: count / n if n else NAN for name, count in counts.items()}
        counted = {COUNTS[name]: count for name, count in counts.items()}
        missing = {"missing": len(tier) - n, "share_missing": 1 - n / len(tier)}
        rows.append(key | {"n": n} | missing | counted | shares)
    return pd.DataFrame(rows, columns=list(OUTCOME))


def missing_reasons(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per cell, tier and reason why replies or verdicts are missing, of how many asked."""
    import pandas as pd

    rows = [
        key | {"reason": reason, "count": count, "asked": len(tier)}
        for key, tier in _by_tier(frame)
        for reason, count in tier.loc[tier["missing"] != "", "missing"].value_counts().items()
    ]
    return pd.DataFrame(rows, columns=list(REASONS))


def motives(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per cell, tier and motive: its count and share among the n replies that have one."""
    import pandas as pd

    rows = []
    for key, tier in _by_tier(frame):
        counts = tier.loc[tier["motive"] != "", "motive"].value_counts()
        n = int(counts.sum())
        rows += [key | {"motive": name, "count": count, "n": n, "share": count / n} for name, count in counts.items()]
    return pd.DataFrame(rows, columns=list(MOTIVES))


def perturbations(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per cell of another scenario and gap: how far it is from the first gap of its reference.

    reference: REFERENCE, or what REFERENCES says. Both gaps, their difference and its 95 % interval (prompts drawn
    anew, with their four replies) are over the n prompts whose replies are known in all four tiers. The reference
    is of the same subject, seed, judge and variant.
    """
    import pandas as pd

    rows: list[Row] = []
    for key, own in frame.groupby([*SUBJECT, "seed"], sort=False):
        subject = dict(zip([*SUBJECT, "seed"], key, strict=True))
        for other, cell in cells(own[own["scenario"] != REFERENCE]):
            reference = own[own["scenario"] == REFERENCES.get(other["scenario"], REFERENCE)]
            if reference.empty:
                continue
            _, base = next(_each_gap(next(cells(reference))[1]))
            named = subject | {"scenario": other["scenario"], "reference": reference["scenario"].iloc[0]}
            rows += [named | {"gap_name": name} | _moved(gap, base) for name, gap in _each_gap(cell)]
    return pd.DataFrame(rows, columns=list(PERTURBATIONS))


def _each_gap(cell: "pd.DataFrame") -> "Iterator[tuple[str, pd.Series[float]]]":
    """Each gap's name and its difference of verdicts on every matched prompt: -1, 0 or 1."""
    verdicts = by_prompt(cell)
    for gap in declared(cell):
        known = pairs(verdicts, gap)
        yield gap["name"], known["more"] - known["less"]


def _moved(gap: "pd.Series[float]", base: "pd.Series[float]") -> "Row":
    import pandas as pd

    both = pd.concat({"gap": gap, "base": base}, axis=1, join="inner")
    change = (both["gap"] - both["base"]).to_numpy(float)
    reach = metrics.interval_of_difference(change)
    row = {"n": len(both), "gap": both["gap"].mean(), "reference_gap": both["base"].mean()}
    difference = change.mean() if len(change) else NAN
    return row | {"difference": difference, "difference_low": reach.low, "difference_high": reach.high}


def by_seed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row for the cells that differ in their seed alone: mean gap, its 95 % interval by Student's t over the seeds
    (nan for one), and their standard deviation."""
    import pandas as pd

    rows = []
    for key, own in gaps(frame).groupby(REPEATED, sort=False):
        means = own.groupby("seed")["gap"].mean().dropna()
        reach = metrics.interval_of_mean(means.to_numpy(float))
        row = {"seeds": len(means), "mean_gap": means.mean(), "gap_low": reach.low, "gap_high": reach.high}
        rows.append(dict(zip(REPEATED, key, strict=True)) | row | {"sd": means.std()})
    return pd.DataFrame(rows, columns=list(SEEDS))
