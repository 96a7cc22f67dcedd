"""Cosine to the source of what the base model has in mind at the end of a question."""

from typing import TYPE_CHECKING

from leakage.studies.persona_leakage.geometry import centroids, cosine_column, cosines
from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    import numpy as np

    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """cosine_…: of the centroids of last-token states."""
    states = probe.states.reshape(-1, *probe.states.shape[2:])
    return to_source(probe, centroids(states, len(probe.personas)))


def to_source(probe: "Probe", points: "np.ndarray") -> "dict[str, np.ndarray]":
    """Every definition of the cosine between the source and each persona. points: (personas, layers, d_model)"""
    return {
        cosine_column(layer, centred=centred): cosines(points[:, place], centred=centred)[probe.source]
        for place, layer in enumerate(probe.layers)
        for centred in (False, True)
    }


PREDICTOR = Predictor(name="cosine", sign=1, measure=measure)
