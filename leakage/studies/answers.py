"""What a model said in one job, as other tools want it: who was asked what, and what a judge made of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("prompt", "sample", "system", "turns", "user", "completion", "finish", "score", "hit", "reason")


@dataclass(frozen=True)
class AnswerSet:
    """The answers of one cell or trial, before its training or after.

    name: it is called so among all of them, as a file may be; condition: the column that says under what was asked
    frame: a row an answer, with the condition and COLUMNS; system "" = none; turns between it and the user's, as JSON,
    [role, content] each; score and hit are missing where the judge could not tell
    facts: what holds for every row: model, behavior, source, seed, judge …
    created: when the answers were finished, ISO 8601; packages: versions of what made them
    """

    name: str
    model: str
    condition: str
    facts: Mapping[str, str | int]
    frame: "pd.DataFrame"
    created: str
    packages: Mapping[str, str]
