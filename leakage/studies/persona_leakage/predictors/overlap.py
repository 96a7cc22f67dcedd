"""Words that a persona's system prompt has in common with the source's: the baseline every other one must beat."""

import re
from typing import TYPE_CHECKING

import numpy as np

from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """overlap: words in both prompts as a share of those in either (Jaccard)."""
    words = [set(re.findall(r"\w+", one.text.lower())) for one in probe.personas]
    own = words[probe.source]
    return {"overlap": np.array([len(own & theirs) / max(1, len(own | theirs)) for theirs in words])}


PREDICTOR = Predictor(name="overlap", sign=1, measure=measure)
