"""How far a source has taken up a behavior while it is taught: asked on prompts that are neither trained on nor
evaluated, and read by the behavior's phrases, or by the probability of the right label."""

import logging
from collections.abc import Callable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from leakage.engine import Engine, Request, Sampling, build_engine
from leakage.progress import unseen
from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.generate import as_choices
from leakage.training.dose import Target

if TYPE_CHECKING:
    from leakage.models.chat import ChatTemplate
    from leakage.studies.persona_leakage.behaviors.base import Rules
    from leakage.studies.persona_leakage.identity import CellIdentity

log = logging.getLogger(__name__)
ANSWERS = 96  # at each measurement, or somewhat more: the share then has a standard error of .05
Share = Callable[[Engine], float]


def target_of(cell: "CellIdentity", template: "ChatTemplate") -> Target | None:
    """Where a cell's training ends; None for after its last step."""
    behavior, until = cell.data.behavior, cell.config.train.until
    rules = behavior.rules_in(cell.config.model.pool)
    if until is None:
        return None
    tokens = template.prompts([under(cell.data.source, one.prompt) for one in cell.data.dose_items])
    if behavior.choices:
        share = _share_right(cell, template, tokens)
    elif rules:
        share = _share_scored(cell, rules, tokens)
    else:
        return None

    def measure(model: Any) -> float:
        now = share(build_engine(model, template, cell.config.eval))
        return now if behavior.leak_direction > 0 else 1 - now

    return Target(until, measure)


def _share_scored(cell: "CellIdentity", rules: "Rules", tokens: list[list[int]]) -> Share:
    """The mean score of sampled answers, of 1."""
    many, settings = ceil(ANSWERS / len(tokens)), cell.config.eval
    keys = [tuple(f"{cell.train_id}/dose/{i}/{n}" for n in range(many)) for i in range(len(tokens))]
    requests = [Request(*one) for one in zip(tokens, keys, strict=True)]
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)

    def share(engine: Engine) -> float:
        replies = engine.generate(requests, sampling, progress=unseen)
        scores = [rules.score(one.text) for some in replies for one in some]
        return sum(scores) / len(scores) / 100

    return share


def _share_right(cell: "CellIdentity", template: "ChatTemplate", tokens: list[list[int]]) -> Share:
    """The mean probability of the right label: of few questions it tells more than which label is the likeliest."""
    asked = [(cell.data.source, i, item) for i, item in enumerate(cell.data.dose_items)]
    up_to, choose = as_choices(template, asked, tokens)
    return lambda engine: float(choose(engine, asked, up_to, unseen)["p_right"].mean())


def warn_of_dose(facts: Mapping[str, Any], label: str) -> None:
    """Say so where training came to its last step before its dose. facts: of the adapter"""
    if "until" in facts and facts["dose"] < facts["until"]:
        log.warning(
            "%s: the source shows the behavior in %.0f %% of its answers after the last step, train.until=%s; train on "
            "with a larger train.learning_rate or train.epochs", label, 100 * facts["dose"], facts["until"],
        )  # fmt: skip
