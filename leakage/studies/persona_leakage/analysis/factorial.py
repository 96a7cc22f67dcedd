"""Why is a behavior so broad? Cells that differ in how much teaches it or its opposite, and in the source."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leakage.analysis.resampling import interval_of_mean
from leakage.analysis.statistics import NAN, mean_known, spearman
from leakage.studies.persona_leakage.analysis.cells import Columns, are_bystanders, columns_of_cells, those

if TYPE_CHECKING:
    import pandas as pd

FACTORS = ["source_examples", "negative_examples", "source"]
WITHIN = ["model", "judge", "behavior", "unit"]
MEANS = ["source_delta", "mean_bystander_delta", "breadth", "rho"]
FACTORIAL = (
    *WITHIN, "factor", "level", "cells", *MEANS, "against", "pairs", "difference", "difference_low", "difference_high",
)  # fmt: skip


def by_factor(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a level of each factor in which the cells of a behavior differ: examples that teach it, examples that
    teach the opposite, and, beside one of these, the source. With negatives or without, it counts as one behavior.

    Means over the level's cells: the source's delta, the bystanders', the second in shares of the first (breadth), rho.
    difference: of the mean bystander delta to that of the first level, `against`, over pairs of cells that differ in
    this factor alone; its interval by Student's t over the pairs, which are few.
    """
    import pandas as pd

    own = frame[(frame["taught"] == frame["behavior"]) & (frame["design"] != "sham")]
    whole = columns_of_cells(own, *FACTORS, "unit", "is_source", "in_panel", "cosine", "delta")
    measured = pd.DataFrame([_row(key, cell) for key, cell in whole], columns=[*WITHIN, *FACTORS, "seed", *MEANS])
    rows: list[dict[str, Any]] = []
    for key, family in measured.groupby(WITHIN, sort=False):
        differing = [factor for factor in FACTORS if family[factor].nunique() > 1]
        if set(differing) - {"source"}:
            rows += [dict(zip(WITHIN, key, strict=True)) | row for name in differing for row in _levels(family, name)]
    return pd.DataFrame(rows, columns=list(FACTORIAL))


def _row(key: dict[str, Any], cell: Columns) -> dict[str, Any]:
    others = those(cell, are_bystanders(cell))
    source, mean = mean_known(cell["delta"][cell["is_source"].astype(bool)]), mean_known(others["delta"])
    return key | {name: cell[name][0] for name in (*FACTORS, "unit")} | {
        "behavior": key["behavior"].removesuffix("_contrastive"),
        "source_delta": source,
        "mean_bystander_delta": mean,
        "breadth": mean / source if source else NAN,
        "rho": spearman(others["cosine"], others["delta"]).rho,
    }  # fmt: skip


def _levels(family: "pd.DataFrame", factor: str) -> Iterator[dict[str, Any]]:
    alike = [name for name in (*FACTORS, "seed") if name != factor]
    paired = family.pivot_table(index=alike, columns=factor, values="mean_bystander_delta", sort=False)
    levels = list(family[factor].unique()) if factor == "source" else sorted(family[factor].unique())
    for level in levels:
        cells = family[family[factor] == level]
        change = (paired[level] - paired[levels[0]]).dropna() if level != levels[0] else paired[level][:0]
        reach = interval_of_mean(change)
        yield {"factor": factor, "level": str(level), "cells": len(cells)} | cells[MEANS].mean().to_dict() | {
            "against": str(levels[0]) if level != levels[0] else "",
            "pairs": len(change),
            "difference": change.mean(),
            "difference_low": reach.low,
            "difference_high": reach.high,
        }  # fmt: skip
