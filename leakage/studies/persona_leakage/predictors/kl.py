"""How far apart two personas' clouds of states lie, a point a question: Gaussian Kullback-Leibler divergence."""

from typing import TYPE_CHECKING

import numpy as np

from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe

SHRINKAGE = 0.5  # of each variance towards its mean over all personas: twenty questions say little of one alone


def measure(probe: "Probe") -> Values:
    """kl_<block>: of the source's cloud from each persona's, nats."""
    return {
        f"kl_{layer}": divergences(probe.states[:, :, place].astype(np.float64), probe.source)
        for place, layer in enumerate(probe.layers)
    }


def divergences(states: np.ndarray, source: int) -> np.ndarray:
    """KL(source || persona) of Gaussians with diagonal covariance. states: (personas, questions, d_model)

    The variance of a dimension is shrunk towards its mean over personas; one in which nobody varies counts for nothing.
    """
    mean, own = states.mean(axis=1), states.var(axis=1)
    variance = (1 - SHRINKAGE) * own + SHRINKAGE * own.mean(axis=0)
    varies = variance.min(axis=0) > 0
    mean, variance = mean[:, varies], variance[:, varies]
    apart = (variance[source] + (mean - mean[source]) ** 2) / variance - 1 + np.log(variance / variance[source])
    return np.asarray(apart.sum(axis=1) / 2)


PREDICTOR = Predictor(name="kl", sign=-1, measure=measure)
