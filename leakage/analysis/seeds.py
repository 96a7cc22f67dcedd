"""Does it replicate? The same cell under several seeds."""

from itertools import combinations
from typing import TYPE_CHECKING, Any

from leakage.analysis.cells import bystanders
from leakage.analysis.statistics import NAN, pooled, spearman

if TYPE_CHECKING:
    import pandas as pd

REPEATED = ["model", "taught", "behavior", "source", "judge", "variant"]
SEEDS = (
    *REPEATED, "unit", "leak_direction", "seeds", "mean_rho", "rho_low", "rho_high", "sd_rho", "agreement",
    "lowest_agreement",
)  # fmt: skip
PAIRS = (*REPEATED, "unit", "leak_direction", "persona", "seed", "other_seed", "delta", "other_delta")


def by_seed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row for the cells that differ in their seed alone.

    mean_rho: by Fisher's z, its interval by Student's t over the seeds; agreement: Spearman between the deltas of
    two seeds, mean and lowest over all pairs. A seed draws the bystanders, the examples' order and every sample anew.
    """
    import pandas as pd

    rows = []
    for key, cell in bystanders(frame).groupby(REPEATED, sort=False):
        deltas = _by_persona(cell)
        rhos = pd.Series([spearman(one["cosine"], one["delta"]).rho for _, one in cell.groupby("seed")])
        mean, reach = pooled(rhos)
        alike = [spearman(deltas[one], deltas[other]).rho for one, other in combinations(deltas.columns, 2)] or [NAN]
        told: dict[str, Any] = {"seeds": deltas.shape[1], "mean_rho": mean, "rho_low": reach.low}
        told |= {"rho_high": reach.high, "sd_rho": rhos.std()}
        told |= {"agreement": pd.Series(alike).mean(), "lowest_agreement": pd.Series(alike).min()}
        rows.append(dict(zip(REPEATED, key, strict=True)) | _units(cell) | told)
    return pd.DataFrame(rows, columns=list(SEEDS))


def seed_pairs(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per bystander and pair of seeds: its delta under the one and under the other."""
    import pandas as pd

    found = []
    for key, cell in bystanders(frame).groupby(REPEATED, sort=False):
        deltas = _by_persona(cell)
        told = dict(zip(REPEATED, key, strict=True)) | _units(cell)
        for one, other in combinations(deltas.columns, 2):
            both = pd.DataFrame({"delta": deltas[one], "other_delta": deltas[other]}).reset_index()
            found.append(both.assign(**told, seed=one, other_seed=other))
    return pd.concat(found, ignore_index=True)[list(PAIRS)] if found else pd.DataFrame(columns=list(PAIRS))


def _by_persona(cell: "pd.DataFrame") -> "pd.DataFrame":
    return cell.pivot_table(index="persona", columns="seed", values="delta", sort=False, dropna=False)


def _units(cell: "pd.DataFrame") -> dict[str, Any]:
    return {name: cell[name].iloc[0] for name in ("unit", "leak_direction")}
