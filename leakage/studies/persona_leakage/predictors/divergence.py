"""How differently the base model goes on with the source's answers under the source and under each persona."""

from typing import TYPE_CHECKING

import numpy as np

from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """divergence: Jensen-Shannon of the next token's distributions, nats; answer_length: its control, how many words a
    persona's own answers are longer or shorter than the source's."""
    words = np.array([np.mean([len(text.split()) for text in texts]) for texts in probe.answers])
    return {"divergence": probe.along.divergence, "answer_length": np.abs(words - words[probe.source])}


PREDICTOR = Predictor(name="divergence", sign=-1, measure=measure)
