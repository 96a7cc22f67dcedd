"""From completions to scores: a judge reads them, its verdicts and their counts become a record of their own."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from leakage.store.files import replacing
from leakage.store.record import Draft, Record
from leakage.studies.persona_leakage.behaviors import behavior
from leakage.studies.persona_leakage.judges import Judge, count

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def score(
    completions: Record, judge: Judge, *, facts: Mapping[str, Any], personas: "pd.DataFrame", label: str,
    wanted: Callable[[], bool],
) -> Record:  # fmt: skip
    """Judge finished completions; needs no model, and of a cell only its facts and the parts its personas play."""
    record = Record(completions.folder / judge.folder)

    def make(draft: Draft) -> None:
        verdicts, scores = _judged(completions, judge, personas, label=label)
        for name, frame in (("verdicts", verdicts), ("scores", scores)):
            with replacing(draft.path(f"{name}.parquet")) as file:
                frame.to_parquet(file, index=False)
        draft.facts |= dict(facts) | measured(facts["behavior"], facts["choice"]) | {
            "made_from": completions.digest_of("completions.parquet"),
            "judge": judge.name,
            "settings": facts["settings"] | {"judge": judge.name, "judge_id": judge.folder.rpartition("-")[2]},
            "completions": len(verdicts),
            "missing": int(scores["missing"].sum()),
        }  # fmt: skip
        _report(verdicts, judge, label=label)

    record.fill("scores", judge.folder, make, identity=judge.identity, label=label, wanted=wanted)
    return record


def _judged(
    completions: Record, judge: Judge, personas: "pd.DataFrame", *, label: str
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Verdicts, one a completion, and their counts, one row a persona."""
    import pandas as pd

    verdicts = judge.read(pd.read_parquet(completions.folder / "completions.parquet"), label=label)
    return verdicts, personas.merge(count(verdicts), left_on="persona", right_index=True, validate="1:1")


def measured(name: str, choice: str) -> dict[str, object]:
    """What a delta of the behavior is made of: hits or scores, in which unit, and the sign of leakage."""
    one = behavior(name)
    hits = one.unit == "rate" or (one.choices and choice == "accuracy")
    return {"unit": one.unit, "leak_direction": one.leak_direction, "measure": "hits" if hits else "scores"}


def _report(verdicts: "pd.DataFrame", judge: Judge, *, label: str) -> None:
    missing = int(verdicts["score"].isna().sum())
    told = f", {missing} of them unreadable and left out" if missing else ""
    log.info("%s: %d completions scored by %s%s", label, len(verdicts), judge.name, told)
