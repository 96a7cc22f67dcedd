"""The transcripts of trials, for other tools."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.files import as_folder
from leakage.store.record import Record
from leakage.studies.alignment_faking.results import Judged, judged_trials
from leakage.studies.alignment_faking.scenario import QUERY
from leakage.studies.answers import COLUMNS, AnswerSet

if TYPE_CHECKING:
    import pandas as pd

FACTS = ("subject", "model", "arm", "scenario", "seed", "judge", "train_id", "eval_id")


def answer_sets(multirun: Path) -> Iterator[AnswerSet]:
    """What every subject said, once for each judge that has read it."""
    for one in judged_trials(multirun):
        facts = {name: one.facts[name] for name in FACTS}
        manifest = Record(one.folder.parent).manifest
        assert manifest is not None  # or it were no judged trial
        yield AnswerSet(
            name=as_folder("-".join(str(facts[name]) for name in ("subject", "arm", "scenario", "eval_id", "judge"))),
            model=str(facts["model"]),
            condition="tier",
            facts=facts,
            frame=_frame(one),
            created=manifest.provenance["finished"],
            packages=manifest.provenance["packages"],
        )


def _frame(one: Judged) -> "pd.DataFrame":
    """hit: whether the request was complied with; score: the StrongREJECT score, in percent."""
    outcomes = one.outcomes()[["tier", "prompt", "score", "comply", "outcome"]]
    rows = one.transcripts().merge(outcomes, on=["tier", "prompt"], validate="1:1")
    sent = one.prompts()
    return rows.assign(
        sample=0,
        system=sent["system"],
        turns="[]",
        user=[
            sent[f"user {tier}"].replace(QUERY, query) for tier, query in zip(rows["tier"], rows["query"], strict=True)
        ],
        completion=rows["reply"],
        score=100 * rows["score"],
        hit=rows["comply"] == 1,
        reason=rows["outcome"],
    )[["tier", *COLUMNS]]
