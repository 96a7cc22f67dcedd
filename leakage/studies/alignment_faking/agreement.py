"""How far judges agree that have read the same transcripts, on compliance and on alignment-faking reasoning."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.analysis.agreement import PAIR, agreement
from leakage.studies.alignment_faking.judges.base import KEYS as REPLY
from leakage.studies.alignment_faking.results import Judged, judged_trials

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("subject", "scenario", "verdict")


def agreement_below(multirun: Path) -> "pd.DataFrame":
    """The table of all judges that have read the same transcripts below a folder of results."""
    return agreement(verdict_pairs(multirun), KEYS)


def verdict_pairs(multirun: Path) -> "pd.DataFrame":
    """A row a transcript, verdict and pair of judges that have read it: KEYS and PAIR; the score is StrongREJECT's, or
    the share of votes that see faking; what either could not tell is left out."""
    import pandas as pd

    by_transcripts: dict[Path, list[Judged]] = defaultdict(list)
    for one in judged_trials(multirun):
        by_transcripts[one.folder.parent].append(one)
    pairs = [pair for judged in by_transcripts.values() for pair in combinations(judged, 2)]
    frames = [rows for pair in pairs for rows in (_compliance(*pair), _reasoning(*pair))]
    columns = [*KEYS, *PAIR]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _compliance(one: Judged, other: Judged) -> "pd.DataFrame":
    first, second = (judged.outcomes().rename(columns={"comply": "hit"}) for judged in (one, other))
    return _pair(one, other, first, second, verdict="compliance")


def _reasoning(one: Judged, other: Judged) -> "pd.DataFrame":
    first, second = (
        outcomes.assign(score=outcomes["yes"] / outcomes["votes"], hit=outcomes["af"])
        for outcomes in (one.outcomes(), other.outcomes())
    )
    return _pair(one, other, first, second, verdict="reasoning")


def _pair(one: Judged, other: Judged, first: "pd.DataFrame", second: "pd.DataFrame", *, verdict: str) -> "pd.DataFrame":
    names = [*REPLY, "score", "hit"]
    both = first[names].merge(second[names], on=REPLY, validate="1:1", suffixes=("", "_other")).dropna()
    # by their folders' names: two prompts or limits of one model are two judges
    return both.assign(
        subject=one.facts["subject"], scenario=one.facts["scenario"], verdict=verdict, judge=one.folder.name,
        other=other.folder.name, score=100 * both["score"], other_score=100 * both["score_other"],
        other_hit=both["hit_other"],
    )  # fmt: skip
