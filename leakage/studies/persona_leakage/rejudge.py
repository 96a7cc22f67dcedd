"""Another judge for finished completions: nothing is generated, no model is loaded."""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import JudgeError, StoreError
from leakage.jobs.step import Step, fill
from leakage.store.find import find
from leakage.store.manifest import Input
from leakage.store.record import Record, Status
from leakage.store.status import status
from leakage.studies.persona_leakage.behaviors import CUSTOM, Behavior, behavior, behavior_names
from leakage.studies.persona_leakage.files import COMPLETIONS
from leakage.studies.persona_leakage.identity import without_place
from leakage.studies.persona_leakage.judges import Judge, ask_ahead, judge_for
from leakage.studies.persona_leakage.scoring import score
from leakage.studies.persona_leakage.settings import CellConfig

if TYPE_CHECKING:
    import pandas as pd

    from leakage.settings.config import Config
    from leakage.studies.persona_leakage.settings import BehaviorSettings

log = logging.getLogger(__name__)
OWN = {"settings", "cut_off", "completions", "made_from"}  # facts of the completions, not of their scores


def rejudge(config: "Config", *, only: str | None = None) -> list[Record]:
    """Score every finished set of completions below paths.multirun that the settings' judge has not read yet.

    only: one behavior. Chosen labels are right or wrong and need no judge. Returns the new records; where the judge
    could not answer all, those it could are scored before the error is raised.
    """
    multirun = Path(config.paths.multirun)
    todo = list(_unread(multirun, config, only))
    try:
        ask_ahead([(judge, _file(multirun, step)) for step, judge in todo], config.judge)
    except JudgeError:
        _fill(multirun, [step for step, judge in todo if judge.can_read(_file(multirun, step))])
        raise
    return _fill(multirun, [step for step, _ in todo])


def _fill(multirun: Path, steps: list[Step]) -> list[Record]:
    for step in steps:
        facts = step.facts
        label = f"{facts['taught']} x {facts['source']} on {facts['model']}, read for {facts['behavior']}"
        fill(multirun, step, label=label)
    return [Record(multirun / step.folder) for step in steps]


def _file(multirun: Path, step: Step) -> Path:
    (completions,) = step.inputs
    return multirun / completions.folder / completions.file


def _unread(multirun: Path, config: "Config", only: str | None) -> Iterator[tuple[Step, Judge]]:
    """The steps that are not done, with the judge; an error where there are no completions at all."""
    assert isinstance(config, CellConfig)
    completions = [
        one.manifest.facts | {"folder": one.folder}
        for one in find(multirun)
        if one.status is Status.DONE and one.manifest and one.manifest.kind == "completions"
        and only in {None, one.manifest.facts["behavior"]}
    ]  # fmt: skip
    if not completions:
        raise StoreError(f"no finished answers{f' of {only}' if only else ''} below {multirun}; run a cell first")
    unknown: set[str] = set()
    for facts in completions:
        measured = _known(facts["behavior"], config.behavior)
        if measured is None:
            unknown.add(facts["behavior"])
        if measured is None or measured.choices:
            continue
        judge = judge_for(config.judge, measured, facts["pool"], multirun)
        step = _step(multirun, facts, measured, judge)
        if status(multirun, step) is not Status.DONE:
            yield step, judge
    for name in sorted(unknown):
        log.warning("answers of %s are left out; name its file: behavior.path=…", name)


def _known(name: str, settings: "BehaviorSettings") -> Behavior | None:
    """The behavior that answers were read for; None where only a file that the settings do not name describes it."""
    if name in behavior_names():
        return behavior(name)
    own = behavior(CUSTOM, settings.path) if settings.path else None
    if own and own.name == name:
        return own
    return None


def _step(multirun: Path, facts: dict[str, Any], measured: Behavior, judge: Judge) -> Step:
    folder = facts["folder"].relative_to(multirun)
    expected = {name: value for name, value in facts.items() if name not in OWN | {"folder"}}
    label = f"{facts['taught']} x {facts['source']} on {facts['model']}, read for {facts['behavior']}"
    make = partial(
        score, facts["folder"], judge, behavior=measured, facts=expected, settings=lambda: facts["settings"],
        personas=partial(_personas, facts["folder"]), label=label,
    )  # fmt: skip
    held_to = without_place(expected)
    return Step("scores", folder / judge.folder, judge.identity, make, (Input(folder, COMPLETIONS),), held_to)


def _personas(folder: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(folder / "personas.parquet")
