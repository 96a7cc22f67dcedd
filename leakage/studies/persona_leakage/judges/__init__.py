"""Judges: completions in, verdicts out."""

from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import ConfigError
from leakage.studies.persona_leakage.behaviors import Behavior
from leakage.studies.persona_leakage.judges.base import Judge, count
from leakage.studies.persona_leakage.judges.claude import ask_ahead, claude_judge
from leakage.studies.persona_leakage.judges.rules import choice_judge, rules_judge

if TYPE_CHECKING:
    from leakage.settings.config import JudgeSettings

__all__ = ["Judge", "ask_ahead", "count", "judge_for"]


def judge_for(settings: "JudgeSettings", behavior: Behavior, pool: str, multirun: Path) -> Judge:
    """The judge the settings name. pool: whose items' answers rules may know."""
    if behavior.choices:
        return choice_judge()
    if settings.name == "claude":
        if not behavior.rubric:
            raise ConfigError(f"judge=claude: {behavior.name} has no rubric; add one to its file, or use judge=rules")
        return claude_judge(behavior, settings, multirun)
    rules = behavior.rules_in(pool)
    if settings.name == "auto" and rules is None:
        return claude_judge(behavior, settings, multirun)
    if rules is None:
        raise ConfigError(
            f"judge=rules: no phrases can tell {behavior.name} in open answers; use judge=claude, or judge=auto, "
            "which asks Claude only where phrases cannot tell"
        )
    return rules_judge(rules)
