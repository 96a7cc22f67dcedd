"""Transcripts and votes for the pages: packed, loaded when asked for, and no more than the report may weigh."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from leakage.progress import progress
from leakage.report.script import ATTEMPTS, WEIGHED, pack, shares, write_script
from leakage.studies.alignment_faking.judges.base import KEYS
from leakage.studies.alignment_faking.report import wording

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from leakage.studies.alignment_faking.report.trials import TrialPage
    from leakage.studies.alignment_faking.results import Judged

SAID = (*KEYS, "query", "scratchpad", "output", "reply", "tag", "finish", "tokens", "answered_by", "note")
VOTE = ("kind", "vote", "value", "label", "detail", "raw", "judge_model")
WORDS = {"kinds": wording.VOTES, "criteria": wording.CRITERIA, "items": wording.ITEMS}


@dataclass(frozen=True)
class Cut:
    """How much of a trial is shown: the first queries, of every tier alike, so that they stay matched."""

    queries: int
    all_queries: int
    folder: str  # of the transcripts, below the results

    @property
    def notice(self) -> str:
        """What is shown of how much, and where the rest is; empty when it is all."""
        if self.queries >= self.all_queries:
            return ""
        return (
            f"Shown: the first {self.queries} of {self.all_queries} queries in every tier; all are in "
            f"{self.folder}/transcripts.parquet, and all votes beside them. The numbers above are of all."
        )


def write_transcripts(pages: list[TrialPage], folder: Path, multirun: Path, *, budget: int) -> None:
    """Write transcripts/ and votes/ of all trials as far as they fit; of each trial one query at least."""
    with progress(len(pages), "report: weighing transcripts", "trial") as advance:
        weights = {}
        for page in pages:
            weights[page.slug] = _weight(page.judged)
            advance(1)
    aim = budget
    for _ in range(ATTEMPTS):
        fits = shares(weights, aim)
        with progress(len(pages), "report: transcripts", "trial") as advance:
            taken = 0
            for page in pages:
                taken += _write(page, folder, multirun, share=fits[page.slug])
                advance(1)
        if taken <= budget:
            break
        aim = int(0.9 * aim * budget / taken)  # with some room, so that once more is enough


def _write(page: TrialPage, folder: Path, multirun: Path, *, share: float) -> int:
    """Write both files of a trial; their bytes."""
    said, votes = page.judged.outcomes(), page.judged.votes()
    numbers = sorted(said["prompt"].unique())
    shown = numbers[: max(1, ceil(share * len(numbers)))]
    cut = Cut(len(shown), len(numbers), page.judged.folder.parent.relative_to(multirun).as_posix())
    transcripts = {
        "limit": cut.notice, "threshold": page.judged.manifest.identity.get("threshold"), "words": WORDS,
        "rows": transcript_rows(page.judged, shown),
    }  # fmt: skip
    for kind, value in (
        ("transcripts", transcripts),
        ("votes", votes_by_transcript(votes[votes["prompt"].isin(shown)])),
    ):
        write_script(folder / f"{kind}/{page.slug}.js", kind, page.slug, pack(value))
    return sum((folder / f"{kind}/{page.slug}.js").stat().st_size for kind in ("transcripts", "votes"))


def _weight(judged: Judged) -> int:
    """About how many bytes all of a trial takes when packed, from some of its queries; rather more than less."""
    votes, numbers = judged.votes(), sorted(judged.outcomes()["prompt"].unique())
    few = numbers[::WEIGHED]
    some = pack(transcript_rows(judged, few)), pack(votes_by_transcript(votes[votes["prompt"].isin(few)]))
    return sum(map(len, some)) * len(numbers) // len(few)


def transcript_rows(judged: Judged, numbers: list[int]) -> list[dict[str, Any]]:
    """A row a transcript of these queries: what was said and what came of it; missing numbers are None."""
    said = judged.transcripts().reindex(columns=list(SAID))  # those of before have no note
    rows = said.merge(judged.outcomes(), on=KEYS, validate="1:1")
    return _rows(rows[rows["prompt"].isin(numbers)])


def votes_by_transcript(votes: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The votes on each transcript, "tier/prompt", in the order in which they were cast."""
    by_transcript: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(votes[[*KEYS, *VOTE]]):
        vote = {name: row[name] for name in VOTE}
        vote["detail"] = json.loads(row["detail"], parse_constant=_nothing)
        by_transcript.setdefault(f"{row['tier']}/{row['prompt']}", []).append(vote)
    return by_transcript


def _nothing(_: str) -> None:
    """In place of NaN and infinities, which judges may write and pages cannot read."""


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): None if value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
