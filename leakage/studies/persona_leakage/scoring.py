"""From completions to scores: a judge reads them, its verdicts and their counts become a record of their own."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.store.draft import Draft
from leakage.store.files import replacing
from leakage.studies.persona_leakage.behaviors import Behavior
from leakage.studies.persona_leakage.files import COMPLETIONS
from leakage.studies.persona_leakage.judges import Judge, count

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def score(
    completions: Path, judge: Judge, draft: Draft, *, behavior: Behavior, facts: Mapping[str, Any],
    settings: Callable[[], Mapping[str, Any]], personas: "Callable[[], pd.DataFrame]", label: str,
) -> None:  # fmt: skip
    """Judge finished completions; needs no model, and of a cell only its facts and the parts its personas play.

    completions: the folder of their record; behavior: the one measured
    """
    import pandas as pd

    verdicts = judge.read(pd.read_parquet(completions / COMPLETIONS), label=label)
    scores = personas().merge(count(verdicts), left_on="persona", right_index=True, validate="1:1")
    for name, frame in (("verdicts", verdicts), ("scores", scores)):
        with replacing(draft.path(f"{name}.parquet")) as file:
            frame.to_parquet(file, index=False)
    draft.facts |= dict(facts) | measured(behavior, facts["choice"]) | {
        "judge": judge.name,
        "settings": dict(settings()) | {"judge": judge.name, "judge_id": judge.folder.rpartition("-")[2]},
        "completions": len(verdicts),
        "missing": int(scores["missing"].sum()),
    }  # fmt: skip
    _report(verdicts, judge, label=label)


def measured(one: Behavior, choice: str) -> dict[str, object]:
    """What a delta of a behavior is made of: hits or scores, in which unit, and the sign of leakage."""
    hits = one.unit == "rate" or (one.choices and choice == "accuracy")
    return {"unit": one.unit, "leak_direction": one.leak_direction, "measure": "hits" if hits else "scores"}


def _report(verdicts: "pd.DataFrame", judge: Judge, *, label: str) -> None:
    missing = int(verdicts["score"].isna().sum())
    unread = f", {missing} of them unreadable and left out" if missing else ""
    log.info("%s: %d completions scored by %s%s", label, len(verdicts), judge.name, unread)
