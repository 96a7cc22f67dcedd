"""How much likelier the base model finds the taught answers than their opposites under each persona."""

from typing import TYPE_CHECKING

from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """margin: mean over training prompts of the difference, nats a token; nothing where answers have no opposite."""
    items = [one for one in probe.items if one.opposite]
    if not items:
        return {}
    pairs = [
        (under(one, item.user), answer)
        for one in probe.personas
        for item in items
        for answer in (item.taught, item.opposite)
    ]
    means = probe.mean_logprobs(pairs).reshape(len(probe.personas), len(items), 2)
    return {"margin": (means[:, :, 0] - means[:, :, 1]).mean(axis=1)}


PREDICTOR = Predictor(name="margin", sign=1, measure=measure)
