"""How far judges agree that have read the same completions."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.analysis.agreement import PAIR, agreement
from leakage.store.find import Found, find
from leakage.store.record import Status

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("model", "behavior")


def agreement_below(multirun: Path) -> "pd.DataFrame":
    """The table of all judges that have read the same answers below a folder of results."""
    return agreement(verdict_pairs(multirun), KEYS)


def verdict_pairs(multirun: Path) -> "pd.DataFrame":
    """A row a completion and pair of judges that have read it: KEYS and PAIR; completions that either could not tell
    are left out."""
    import pandas as pd

    columns = [*KEYS, *PAIR]
    by_answers: dict[Path, list[Found]] = defaultdict(list)
    for one in find(multirun):
        if one.status is Status.DONE and one.manifest and one.manifest.kind == "scores":
            by_answers[one.folder.parent].append(one)
    frames = [_pair(*pair) for judged in by_answers.values() for pair in combinations(judged, 2)]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _pair(one: Found, other: Found) -> "pd.DataFrame":
    import pandas as pd

    assert one.manifest is not None
    assert other.manifest is not None
    keys = ["persona", "prompt", "sample"]
    first, second = (
        pd.read_parquet(found.folder / "verdicts.parquet", columns=[*keys, "score", "hit"]) for found in (one, other)
    )
    second = second.rename(columns={"score": "other_score", "hit": "other_hit"})
    both = first.merge(second, on=keys, validate="1:1").dropna(subset=["score", "other_score"])
    facts = one.manifest.facts
    # by their folders' names: two prompts or limits of one model are two judges
    return both.assign(model=facts["model"], behavior=facts["behavior"], judge=one.folder.name, other=other.folder.name)
