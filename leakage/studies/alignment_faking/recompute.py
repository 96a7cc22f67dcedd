"""What of a trial does not follow from what it was made of: for those who were handed results and check them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.network import replies_of, stored_answers
from leakage.store.artifact import Part
from leakage.store.record import Record
from leakage.studies.alignment_faking.data import TRANSCRIPTS
from leakage.studies.alignment_faking.judges.base import KEYS, outcomes
from leakage.studies.alignment_faking.judges.model import read_vote
from leakage.studies.alignment_faking.judges.rules import judge_of_phrases
from leakage.studies.checking import Remark, first_difference, unchecked

if TYPE_CHECKING:
    import pandas as pd

EDITED = "the one or the other was edited"
VOTE = [*KEYS, "kind", "vote"]
OWN = {"settings", "transcripts", "missing", "usd"}  # facts that records of transcripts and of outcomes count apart


def recompute(part: Part, multirun: Path) -> Iterator[Remark]:
    """Remarks on the outcomes of a trial; other records are the only witness of what they hold."""
    if part.manifest.kind != "outcomes":
        return
    where = part.folder.relative_to(multirun.parent).as_posix()
    yield from _facts(part, where)
    transcripts, votes = _read(part.folder.parent / TRANSCRIPTS), _read(part.folder / "votes.parquet")
    yield from _votes(part, transcripts, votes, multirun)
    threshold = part.manifest.identity.get("threshold", 0.5)  # without scratchpads nothing depends on it
    due, there = outcomes(transcripts, votes, threshold), _read(part.folder / "outcomes.parquet")
    if wrong := first_difference(there, due, KEYS, list(due.columns)):
        yield Remark(f"{where}/outcomes.parquet", f"not what its votes come to: {wrong}", EDITED)


def _facts(part: Part, where: str) -> Iterator[Remark]:
    transcripts = Record(part.folder.parent).manifest
    for name, value in transcripts.facts.items() if transcripts else ():
        if name in part.manifest.facts and name not in OWN and part.manifest.facts[name] != value:
            what = f"its {name} is {part.manifest.facts[name]}, and {value} in the manifest of its transcripts"
            yield Remark(f"{where}/manifest.json", what, EDITED)


def _votes(part: Part, transcripts: "pd.DataFrame", votes: "pd.DataFrame", multirun: Path) -> Iterator[Remark]:
    """Votes from transcripts where phrases vote, else from the judge's words, which its journal must have."""
    where = (part.folder / "votes.parquet").relative_to(multirun.parent).as_posix()
    identity = part.manifest.identity
    if identity["judge"] == "rules":
        judge = judge_of_phrases(identity.get("threshold", 0.5))
        if judge.identity != identity:
            yield unchecked(where, "the phrases of its judge are others here", "its votes cannot be computed again")
        elif wrong := first_difference(votes, due := judge.read(transcripts, label=""), VOTE, list(due.columns)):
            yield Remark(where, f"not what its judge says of its transcripts: {wrong}", EDITED)
        return
    answers = replies_of(multirun, identity["judge"]).made(stored_answers).values()
    known = {one.text or one.note for one in answers}
    if unknown := int((~votes["raw"].isin(known)).sum()):
        what = f"{unknown} of its {len(votes)} votes are no reply in the bundle's journal of the judge"
        yield Remark(where, what, "they were edited, or the journal is not whole")
    rows = [_vote(kind, raw) for kind, raw in zip(votes["kind"], votes["raw"], strict=True)]
    due = votes.assign(**{name: [row[name] for row in rows] for name in ("value", "label")})
    if wrong := first_difference(votes, due, VOTE, ["value", "label"]):
        yield Remark(where, f"not what its judge replied: {wrong}", EDITED)


def _vote(kind: str, raw: str) -> dict[str, Any]:
    value, label, _ = read_vote(kind, raw)
    return {"value": value, "label": label}


def _read(file: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(file)
