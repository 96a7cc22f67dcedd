"""The personas that change more, or less, than their similarity to the source predicts."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.cells import CELL, bystanders, cells

if TYPE_CHECKING:
    import pandas as pd

OUTLIERS = (*CELL, "unit", "persona", "cosine", "delta", "expected", "residual", "score")
FAR = 2.5  # the usual bound for residuals of a robust line (Rousseeuw and Leroy 1987)


def outliers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per bystander far from its cell's line of delta on cosine, the farthest first.

    The line is Theil and Sen's, which no handful of outliers can bend; score: the residual in robust standard
    deviations from the median one, at least FAR.
    """
    import pandas as pd

    found = [_far(rows).assign(**key) for key, rows in cells(bystanders(frame))]
    whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(OUTLIERS))
    return whole[list(OUTLIERS)]


def _far(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The outliers of one cell."""
    from scipy.stats import theilslopes

    known = rows.dropna(subset=["cosine", "delta"])[["unit", "persona", "cosine", "delta"]].astype({"delta": float})
    if len(known) < 3 or known["cosine"].nunique() < 2:
        return known[:0].assign(expected=0.0, residual=0.0, score=0.0)
    line = theilslopes(known["delta"], known["cosine"])
    told = known.assign(expected=line.intercept + line.slope * known["cosine"])
    told["residual"] = told["delta"] - told["expected"]
    told["score"] = robust_z(told["residual"].to_numpy())
    far = told[told["score"].abs() >= FAR]
    return far.loc[far["score"].abs().sort_values(ascending=False, kind="stable").index]


def robust_z(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Distances from the median in units of the median absolute deviation, scaled to a standard deviation.

    Where more than half of the values are equal that deviation is 0, and the mean absolute one takes its place.
    """
    off = values - np.median(values)
    scale = 1.4826 * np.median(np.abs(off))
    if scale < 1e-9 * max(1.0, np.abs(values).max()):
        scale = 1.2533 * np.mean(np.abs(off))
    return np.asarray(off / scale) if scale > 0 else np.zeros_like(off)
