"""Another judge for finished completions: nothing is generated, no model is loaded."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import JudgeError, StoreError
from leakage.store.find import find
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.behaviors import behavior
from leakage.studies.persona_leakage.judges import Judge, ask_ahead, judge_for
from leakage.studies.persona_leakage.results import is_of
from leakage.studies.persona_leakage.scoring import score

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from leakage.settings.config import JudgeSettings


def rejudge(multirun: Path, settings: "JudgeSettings", *, only: str | None = None) -> list[Record]:
    """Score every finished set of completions below `multirun` that this judge has not read yet.

    only: one behavior. Chosen labels are right or wrong and need no judge. Returns the new records; where the judge
    could not answer all, those it could are scored before the error is raised.
    """
    todo = list(_unread(multirun, settings, only))
    files = [(judge, record.folder / "completions.parquet") for record, judge in todo]
    try:
        ask_ahead(files, settings)
    except JudgeError:
        for (record, judge), (_, file) in zip(todo, files, strict=True):
            if judge.can_read(file):
                _score(record, judge)
        raise
    return [_score(record, judge) for record, judge in todo]


def _unread(multirun: Path, settings: "JudgeSettings", only: str | None) -> Iterator[tuple[Record, Judge]]:
    """Completions that wait for the judge; an error where there are none at all."""
    chosen = [
        Record(one.folder)
        for one in find(multirun)
        if one.status is Status.DONE and one.manifest and one.manifest.kind == "completions"
        and only in {None, one.manifest.facts["behavior"]}
    ]  # fmt: skip
    if not chosen:
        raise StoreError(f"no finished answers{f' of {only}' if only else ''} below {multirun}; run a cell first")
    for record in chosen:
        facts = _facts(record)
        measured = behavior(facts["behavior"])
        if measured.choices:
            continue
        judge = judge_for(settings, measured, facts["pool"], multirun)
        if _is_unread(record, judge):
            yield record, judge


def _is_unread(completions: Record, judge: Judge) -> bool:
    """Whether the judge's scores are wanting; those of other answers, or damaged ones, are set aside first."""
    scores = Record(completions.folder / judge.folder)
    status = scores.status()
    if status is Status.DONE and is_of(scores, completions):
        return False
    if status in {Status.DONE, Status.DAMAGED}:
        cause = scores.damage() or "it is of other answers"
        log.warning("%s: %s; kept in %s", scores.folder, cause, scores.set_aside())
    return True


def _score(record: Record, judge: Judge) -> Record:
    import pandas as pd

    facts = _facts(record)
    label = f"{facts['taught']} x {facts['source']} on {facts['model']}, read for {facts['behavior']}"
    personas = pd.read_parquet(record.folder / "personas.parquet")
    return score(record, judge, facts=facts, personas=personas, label=label, wanted=lambda: _is_unread(record, judge))


def _facts(record: Record) -> dict[str, Any]:
    return record.manifest.facts if record.manifest else {}
