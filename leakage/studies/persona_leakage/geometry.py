"""Where the personas lie in the base model: centroids and the cosines between them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leakage.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

_NO_LENGTH = 1e-12  # of float64 means, in parts of what they were taken of: what is shorter is rounding


def centroids(states: np.ndarray, n_personas: int) -> np.ndarray:
    """Mean over the questions. states: (n_personas * n_questions, n_layers, d_model), persona by persona.

    Returns (n_personas, n_layers, d_model) float32.
    """
    grouped = states.reshape(n_personas, -1, *states.shape[1:])
    if not np.isfinite(states).all():
        raise ModelError("the model's hidden states are not finite; its weights or its dtype (model.dtype) are wrong")
    mean: np.ndarray = grouped.mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def cosines(points: np.ndarray, *, centred: bool) -> np.ndarray:
    """Cosine of every pair. points: (n, d) -> (n, n) in [-1, 1]; centred subtracts the mean point first.

    A point with no direction has none, NaN: in a first block that looks a few tokens back (LFM2's) all prompts are one.
    """
    exact = points.astype(np.float64)
    exact = exact - exact.mean(axis=0) if centred else exact
    length, scale = np.linalg.norm(exact, axis=1, keepdims=True), np.linalg.norm(points, axis=1).max()
    unit = np.divide(exact, length, out=np.full_like(exact, np.nan), where=length > _NO_LENGTH * scale)
    pairs: np.ndarray = np.clip(unit @ unit.T, -1.0, 1.0)
    return pairs


def cosine_column(layer: int, *, centred: bool) -> str:
    """Name of a cosine definition: cosine_20_raw."""
    return f"cosine_{layer}_{'centred' if centred else 'raw'}"


def cosine_frame(names: Sequence[str], layers: Sequence[int], points: np.ndarray) -> "pd.DataFrame":
    """One row a pair (source, persona), one column a definition. points: (n_personas, n_layers, d_model)."""
    import pandas as pd

    frame = pd.MultiIndex.from_product([names, names], names=["source", "persona"]).to_frame(index=False)
    for i, layer in enumerate(layers):
        for centred in (False, True):
            frame[cosine_column(layer, centred=centred)] = cosines(points[:, i], centred=centred).ravel()
    return frame
