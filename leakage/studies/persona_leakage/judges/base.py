"""What a judge is, and how verdicts become scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from leakage.judges.base import Reader

if TYPE_CHECKING:
    import pandas as pd


class Judge(Reader, Protocol):
    """Reads completions and says of each, from 0 to 100, how much it shows of what the behavior measures."""

    def usd_each(self) -> float:
        """What a verdict costs in US dollars: as measured so far, else at most."""
        ...

    def can_read(self, file: Path) -> bool:
        """Whether the judge can read a file of completions without asking anybody."""
        ...

    def read(self, completions: "pd.DataFrame", *, label: str) -> "pd.DataFrame":
        """One verdict a completion, in its order: KEYS, score (0 to 100, nan = missing), hit, coherence, reason, raw.

        hit: a score of HIT or more (for a choice: right); of a rate behavior, that the behavior shows.
        """
        ...


KEYS = ["persona", "prompt", "sample"]
HIT = 50.0  # a score from which a completion counts


def count(verdicts: "pd.DataFrame") -> "pd.DataFrame":
    """Per persona: k hits of n verdicts, how many are missing, mean and sd of the scores, mean coherence.

    k and n are integers, so that ties stay ties; a missing verdict counts nowhere.
    """
    import pandas as pd

    read = verdicts.assign(hit=verdicts["hit"] & verdicts["score"].notna(), missing=verdicts["score"].isna())
    groups = read.groupby("persona", sort=False)
    return pd.DataFrame(
        {
            "k": groups["hit"].sum().astype("int64"),
            "n": groups["score"].count().astype("int64"),
            "missing": groups["missing"].sum().astype("int64"),
            "mean": groups["score"].mean(),
            "sd": groups["score"].std(),
            "coherence": groups["coherence"].mean(),
        }
    )
