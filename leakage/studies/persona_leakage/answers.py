"""The answers of cells and of their baselines, for other tools."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.models.chat import Prompt
from leakage.store.artifact import Part
from leakage.studies.answers import COLUMNS, AnswerSet
from leakage.studies.persona_leakage.artifacts import Answers, read_artifacts

if TYPE_CHECKING:
    import pandas as pd

FACTS = ("model", "taught", "behavior", "source", "seed", "judge", "train_id", "eval_id")


def answer_sets(multirun: Path) -> Iterator[AnswerSet]:
    """What every cell's model said after its training and, once for all cells that share it, before."""
    seen: set[Path] = set()
    for cell in read_artifacts(multirun).values():
        for when, answers in (("before", cell.before), ("after", cell.after)):
            if answers and answers.scores.folder not in seen:
                seen.add(answers.scores.folder)
                yield _set(answers, when)


def _set(answers: Answers, when: str) -> AnswerSet:
    facts = {"when": when} | _facts(answers.scores)
    named = [facts[name] for name in ("model", "taught", "source", "train_id", "behavior", "eval_id", "judge")]
    made = answers.completions.manifest.provenance
    return AnswerSet(
        name="-".join(map(str, [*named, when])),
        model=str(facts["model"]),
        condition="persona",
        facts=facts,
        frame=_frame(answers),
        created=made["finished"],
        packages=made["packages"],
    )


def _facts(part: Part) -> dict[str, str | int]:
    """Of a baseline none is taught, and it has no seed."""
    return {name: part.manifest.facts[name] for name in FACTS if name in part.manifest.facts}


def _frame(answers: Answers) -> "pd.DataFrame":
    import pandas as pd

    personas = pd.read_parquet(answers.completions.folder / "personas.parquet")
    plain = {name: value for name, value in {"turns": "[]", "wrapper": ""}.items() if name not in personas}
    contexts = personas.assign(**plain, system=personas["system"].fillna(""))
    frame = answers.frame().merge(contexts[["persona", "system", "turns", "wrapper"]], on="persona", validate="m:1")
    prompts = [Prompt(None, user, (), wrapper) for user, wrapper in zip(frame["user"], frame["wrapper"], strict=True)]
    return frame.assign(user=[one.asked for one in prompts])[["persona", *COLUMNS]]
