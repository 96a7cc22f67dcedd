"""How far a source has taken up a behavior while it is taught: asked on prompts that are neither trained on nor
evaluated, and read by the behavior's phrases."""

import logging
from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from leakage.engine import Request, Sampling, build_engine
from leakage.studies.persona_leakage.contexts import under
from leakage.training.dose import Target

if TYPE_CHECKING:
    from leakage.models.chat import ChatTemplate
    from leakage.studies.persona_leakage.identity import CellIdentity

log = logging.getLogger(__name__)
ANSWERS = 96  # at each measurement, or somewhat more: the share then has a standard error of .05


def target_of(cell: "CellIdentity", template: "ChatTemplate") -> Target | None:
    """Where a cell's training ends; None for after its last step."""
    data, settings = cell.data, cell.config.eval
    rules = data.behavior.rules_in(cell.config.model.pool)
    if cell.config.train.until is None or rules is None:
        return None
    many = ceil(ANSWERS / len(data.dose_items))
    requests = [
        Request(tokens, tuple(f"{cell.train_id}/dose/{i}/{n}" for n in range(many)))
        for i, tokens in enumerate(template.prompts([under(data.source, one.prompt) for one in data.dose_items]))
    ]
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)

    def measure(model: Any) -> float:
        replies = build_engine(model, template, settings).generate(requests, sampling, progress=lambda _: None)
        scores = [rules.score(one.text) for some in replies for one in some]
        share = sum(scores) / len(scores) / 100
        return share if data.behavior.leak_direction > 0 else 1 - share

    return Target(cell.config.train.until, measure)


def warn_of_dose(facts: Mapping[str, Any], label: str) -> None:
    """Say so where training came to its last step before its dose. facts: of the adapter"""
    if "until" in facts and facts["dose"] < facts["until"]:
        log.warning(
            "%s: the source shows the behavior in %.0f %% of its answers after the last step, train.until=%s; train on "
            "with a larger train.learning_rate or train.epochs", label, 100 * facts["dose"], facts["until"],
        )  # fmt: skip
