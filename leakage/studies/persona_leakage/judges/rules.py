"""Judges that need no model: the behavior's own phrases, and right or wrong for a chosen label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leakage.judges.base import Named
from leakage.store.files import digest
from leakage.studies.persona_leakage.behaviors.base import Rules
from leakage.studies.persona_leakage.judges.base import HIT, KEYS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RulesJudge(Named):
    """The behavior's phrases."""

    rules: Rules

    def read(self, completions: "pd.DataFrame", *, label: str) -> "pd.DataFrame":  # noqa: ARG002  # done in an instant
        """See Judge.read."""
        score = completions["completion"].map(self.rules.score).astype("float64")
        return completions[KEYS].assign(score=score, hit=score >= HIT, coherence=float("nan"), reason="", raw="")


@dataclass(frozen=True)
class ChoiceJudge(Named):
    """A chosen label is right or wrong; its score is the probability of the right one, in percent."""

    def read(self, completions: "pd.DataFrame", *, label: str) -> "pd.DataFrame":  # noqa: ARG002  # done in an instant
        """See Judge.read."""
        right = completions["completion"] == completions["right"]
        score = 100.0 * completions["p_right"]
        return completions[KEYS].assign(score=score, hit=right, coherence=float("nan"), reason="", raw="")


def rules_judge(rules: Rules) -> RulesJudge:
    """The judge of a behavior's rules."""
    return RulesJudge("rules", {"judge": "rules", "markers": digest(rules.markers)}, rules)


def choice_judge() -> ChoiceJudge:
    """The judge of chosen labels."""
    return ChoiceJudge("rules", {"judge": "choice"})
