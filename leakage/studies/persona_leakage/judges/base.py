"""What a judge is, and how verdicts become scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from leakage.store.files import digest

if TYPE_CHECKING:
    import pandas as pd


class Reader(Protocol):
    """A judge of either study: who it is, and where its verdicts lie."""

    @property
    def name(self) -> str:
        """How tables call the judge: rules, or a model's id."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that can change a verdict, what is read apart."""
        ...

    @property
    def folder(self) -> str:
        """Name of the folder of its verdicts below what it reads."""
        ...

    def lacks(self) -> str:
        """What is missing for the judge to be asked, known beforehand; empty when nothing is."""
        ...


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


@dataclass(frozen=True)
class Named:
    """A judge's name and identity, and the folder that follows from them."""

    name: str
    identity: dict[str, Any]

    @property
    def folder(self) -> str:
        """As Reader.folder."""
        return f"{self.name}-{digest(self.identity)[:8]}"

    def lacks(self) -> str:
        """As Reader.lacks: rules need nothing."""
        return ""

    def usd_each(self) -> float:
        """As Judge.usd_each: rules are free."""
        return 0.0

    def can_read(self, file: Path) -> bool:
        """As Judge.can_read."""
        return file.is_file()


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
