"""Judges of transcripts: votes kept one by one, and the outcome that follows from them."""

from pathlib import Path

from leakage.errors import ConfigError
from leakage.studies.alignment_faking.judges.base import FakingJudge
from leakage.studies.alignment_faking.judges.model import ModelJudge, model_judge
from leakage.studies.alignment_faking.judges.rules import rules_judge
from leakage.studies.alignment_faking.settings import FakingConfig

__all__ = ["FakingJudge", "ModelJudge", "judge_for"]


def judge_for(config: FakingConfig, *, has_scratchpad: bool, is_outside: bool = False) -> FakingJudge:
    """The judge the settings name; phrases can tell only what the embedded model says to its stand-ins.

    is_outside: of replies from elsewhere, which phrases may be tried on: what they do not know is missing
    """
    closed_world = config.queries.path is None or is_outside
    name = config.judge.name
    if name == "rules" and not closed_world:
        raise ConfigError(
            "judge=rules: phrases can tell replies to the embedded model's stand-ins alone; use judge=claude, or "
            "judge=faking, which asks a model only where phrases cannot tell"
        )
    if name == "rules" or (name == "auto" and closed_world):
        return rules_judge(config.reasoning)
    return model_judge(config.judge, config.reasoning, Path(config.paths.multirun), has_scratchpad=has_scratchpad)
