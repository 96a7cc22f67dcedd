"""How cells of one model and behavior differ in their settings, in words."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from leakage.store.files import canonical

IMPLIED = {  # by another setting that is named: more prompts are others
    "eval.prompts": "prompts", "train.until": "training prompts",
    "behavior.answers": "answers", "judge": "judge_id", "data.training": "negative_examples",
}  # fmt: skip
PLAIN = {
    "behavior.sham": False, "behavior.answers": "templates", "behavior.anchors": 0, "train.max_steps": None,
    "data.training": None, "adapter": None, "behavior.inoculated": False, "train.kl_to_base": 0,
    "train.until": None,
}  # fmt: skip
DESIGNED = {  # what a design's name says already
    "behavior.sham", "behavior.anchors", "behavior.bystanders", "behavior.bystander_examples",
    "behavior.no_persona_examples", "behavior.inoculated", "train.kl_to_base",
}  # fmt: skip


def name_variants(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each cell, how it differs from the plain ones of its model, taught and measured behavior; "" for those.

    So cells of different settings are never taken for repetitions of one another. Plain are the commonest settings
    among cells of the published design; a control, cut-short training or generated answers are named however common.
    """
    counted: dict[tuple[str, str, str], Counter[tuple[int, str, int]]] = defaultdict(Counter)
    for one in facts:
        key = one["model"], one["taught"], one["behavior"]
        counted[key][_plainness(one), canonical(_settings(one)), one["completions"]] += 1
    names = []
    for one in facts:
        counts = counted[one["model"], one["taught"], one["behavior"]]
        # of equally common settings those with more completions come first
        main = json.loads(max(counts, key=lambda key: (key[0], counts[key], key[2], key[1]))[1])
        names.append(_describe(_settings(one), main, design_of(one)))
    return names


def _settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a cell, and the cosine its numbers are told by: two definitions in one table are two things."""
    return {**facts["settings"], **{name: facts[name] for name in ("headline",) if name in facts}}


def design_of(facts: Mapping[str, Any]) -> str:
    """The name of a control, or "published" for the plain one."""
    return str(facts.get("design", "published"))


def _plainness(facts: Mapping[str, Any]) -> int:
    """In how many ways a cell is a plain one."""
    settings = facts["settings"]
    usual = [name for name, value in PLAIN.items() if settings.get(name, value) == value]
    return len(usual) + (design_of(facts) == "published")


def _describe(settings: Mapping[str, Any], main: Mapping[str, Any], design: str) -> str:
    """How settings differ from the main ones, in one line; digests cut short or, where implied, left out."""
    changed = {name: value for name, value in settings.items() if main.get(name) != value}
    changed |= {name: settings[name] for name, usual in PLAIN.items() if settings.get(name, usual) != usual}
    if design != "published":
        changed = {name: value for name, value in changed.items() if name not in DESIGNED} | {"design": design}
    implied = {digest for name, digest in IMPLIED.items() if name in changed}
    return " ".join(f"{name}={_cut(value)}" for name, value in sorted(changed.items()) if name not in implied)


def _cut(value: Any) -> Any:
    return value[:8] if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else value
