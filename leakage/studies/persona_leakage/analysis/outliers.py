"""The personas that change more, or less, than their similarity to the source predicts."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import spearman, varied
from leakage.studies.persona_leakage.analysis.cells import CELL, Columns, bystanders, columns_of_cells, those

if TYPE_CHECKING:
    import pandas as pd

    from leakage.analysis.statistics import Array

OUTLIERS = (*CELL, "unit", "persona", "cosine", "delta", "expected", "residual", "score")
FAR = 2.5  # standard deviations of the cell's residuals


def outliers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per bystander far from what its cosine predicts in its cell, the farthest first.

    expected: the monotone fit of delta on cosine (isotonic regression), rising or falling as rho does, since rho is all
    that is claimed: a line would be flat where most deltas are equal, and call the rest of a perfect order outliers.
    score: the residual in standard deviations of all residuals, at least FAR.
    """
    import pandas as pd

    far = [
        key | one
        for key, rows in columns_of_cells(bystanders(frame), "unit", "persona", "cosine", "delta")
        for one in _far(rows)
    ]
    return pd.DataFrame(far, columns=list(OUTLIERS))


def _far(rows: Columns) -> list[dict[str, Any]]:
    """The outliers of one cell."""
    both = those(rows, ~np.isnan(rows["cosine"].astype(float) + rows["delta"].astype(float)))
    cosine, delta = both["cosine"].astype(float), both["delta"].astype(float)
    if not varied(cosine, delta):
        return []
    expected = monotone(cosine, delta)
    spread = np.std(delta - expected)
    score = (delta - expected) / spread if spread > 1e-9 * np.abs(delta).max() else np.zeros_like(delta)
    order = np.argsort(-np.abs(score), kind="stable")
    return [
        {"unit": both["unit"][i], "persona": both["persona"][i], "cosine": cosine[i], "delta": delta[i]}
        | {"expected": expected[i], "residual": delta[i] - expected[i], "score": score[i]}
        for i in order[np.abs(score[order]) >= FAR]
    ]


def monotone(x: "Array", y: "Array") -> "Array":
    """The values nearest to y that only rise with x, or only fall if rho is negative; equal x have one value."""
    from scipy.optimize import isotonic_regression

    _, group = np.unique(x, return_inverse=True)
    counts = np.bincount(group)
    fit = isotonic_regression(
        np.bincount(group, weights=y) / counts, weights=counts, increasing=spearman(x, y).rho >= 0
    )  # fmt: skip
    fitted: Array = fit.x[group]
    return fitted
