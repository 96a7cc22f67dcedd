"""How long a persona's system prompt is: a baseline that knows neither the source nor the behavior."""

from typing import TYPE_CHECKING

import numpy as np

from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """prompt_length: words. The more a prompt says, the less room it leaves: it should mean less leakage."""
    return {"prompt_length": np.array([float(len(one.text.split())) for one in probe.personas])}


PREDICTOR = Predictor(name="prompt_length", sign=-1, measure=measure)
