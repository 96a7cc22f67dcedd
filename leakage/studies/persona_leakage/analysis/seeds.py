"""Does it replicate? The same cell under several seeds."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import pooled, spearman
from leakage.studies.persona_leakage.analysis.cells import bystanders

if TYPE_CHECKING:
    import pandas as pd

REPEATED = ["model", "taught", "behavior", "source", "judge", "variant"]
SEEDS = (
    *REPEATED, "unit", "leak_direction", "seeds", "mean_rho", "rho_low", "rho_high", "sd_rho", "agreement",
    "lowest_agreement", "source_delta", "sd_source_delta", "mean_bystander_delta", "sd_bystander_delta",
)  # fmt: skip
PAIRS = (*REPEATED, "unit", "leak_direction", "persona", "seed", "other_seed", "delta", "other_delta")


def by_seed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row for the cells that differ in their seed alone.

    mean_rho: by Fisher's z, its interval by Student's t over the seeds; agreement: Spearman between the deltas of
    two seeds, mean and lowest over all pairs. source_delta and mean_bystander_delta are means over the seeds, with the
    standard deviation between these. A seed draws the bystanders, the examples' order and every sample anew.
    """
    import pandas as pd

    rows = []
    sources = frame[frame["is_source"]].groupby(REPEATED, sort=False)["delta"].agg(["mean", "std"])
    for key, cell in bystanders(frame).groupby(REPEATED, sort=False):
        deltas = _by_persona(cell)
        rhos = pd.Series([spearman(one["cosine"], one["delta"]).rho for _, one in cell.groupby("seed")])
        mean, reach = pooled(rhos)
        alike = deltas.corr("spearman").to_numpy()[np.triu_indices(deltas.shape[1], k=1)]
        row: dict[str, Any] = {"seeds": deltas.shape[1], "mean_rho": mean, "rho_low": reach.low}
        row |= {"rho_high": reach.high, "sd_rho": rhos.std()}
        row |= {"agreement": pd.Series(alike).mean(), "lowest_agreement": pd.Series(alike).min()}
        means = cell.groupby("seed")["delta"].mean()
        row |= dict(zip(("source_delta", "sd_source_delta"), sources.reindex([key]).iloc[0], strict=True))
        row |= {"mean_bystander_delta": means.mean(), "sd_bystander_delta": means.std()}
        rows.append(dict(zip(REPEATED, key, strict=True)) | _units(cell) | row)
    return pd.DataFrame(rows, columns=list(SEEDS))


def seed_pairs(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per bystander and pair of seeds: its delta under the one and under the other."""
    columns = [*REPEATED, "persona", "seed", "delta", "unit", "leak_direction"]
    one = bystanders(frame)[columns]
    other = one.drop(columns=["unit", "leak_direction"]).rename(columns={"seed": "other_seed", "delta": "other_delta"})
    pairs = one.merge(other, on=[*REPEATED, "persona"])
    return pairs[pairs["seed"] < pairs["other_seed"]][list(PAIRS)].reset_index(drop=True)


def _by_persona(cell: "pd.DataFrame") -> "pd.DataFrame":
    return cell.pivot_table(index="persona", columns="seed", values="delta", sort=False, dropna=False)


def _units(cell: "pd.DataFrame") -> dict[str, Any]:
    return {name: cell[name].iloc[0] for name in ("unit", "leak_direction")}
