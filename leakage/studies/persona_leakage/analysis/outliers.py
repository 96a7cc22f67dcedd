"""The personas that change more, or less, than their similarity to the source predicts."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import varied
from leakage.studies.persona_leakage.analysis.cells import CELL, bystanders, cells

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

    far = [
        key | one for key, rows in cells(bystanders(frame), "unit", "persona", "cosine", "delta") for one in _far(rows)
    ]
    return pd.DataFrame(far, columns=list(OUTLIERS))


def _far(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """The outliers of one cell."""
    from scipy.stats import theilslopes

    both = rows.dropna(subset=["cosine", "delta"])
    cosine, delta = both["cosine"].to_numpy(float), both["delta"].to_numpy(float)
    if not varied(cosine, delta):
        return []
    line = theilslopes(delta, cosine)
    expected = line.intercept + line.slope * cosine
    score = robust_z(delta - expected)
    order = np.argsort(-np.abs(score), kind="stable")
    return [
        {"unit": both["unit"].iloc[i], "persona": both["persona"].iloc[i], "cosine": cosine[i], "delta": delta[i]}
        | {"expected": expected[i], "residual": delta[i] - expected[i], "score": score[i]}
        for i in order[np.abs(score[order]) >= FAR]
    ]


def robust_z(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Distances from the median in units of the median absolute deviation, scaled to a standard deviation.

    Where more than half of the values are equal that deviation is 0, and the mean absolute one takes its place.
    """
    off = values - np.median(values)
    scale = 1.4826 * np.median(np.abs(off))
    if scale < 1e-9 * max(1.0, np.abs(values).max()):
        scale = 1.2533 * np.mean(np.abs(off))
    return np.asarray(off / scale) if scale > 0 else np.zeros_like(off)
