"""Cosine to the source of what the base model has in mind over an answer."""

from typing import TYPE_CHECKING

from leakage.studies.persona_leakage.predictors.base import Predictor, Values
from leakage.studies.persona_leakage.predictors.cosine import to_source

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """answer_cosine_…: of mean states over the source's answers."""
    return {f"answer_{name}": column for name, column in to_source(probe, probe.along.points).items()}


PREDICTOR = Predictor(name="answer_cosine", sign=1, measure=measure)
