"""What one cell has kept: its records, its training, its answers before and after with their verdicts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.store.artifact import Part
from leakage.store.find import find
from leakage.store.record import Status
from leakage.studies.persona_leakage.variants import name_variants

if TYPE_CHECKING:
    import pandas as pd

KEY = ("model", "taught", "behavior", "source", "seed", "judge", "train_id", "eval_id", "variant")
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Answers:
    """Completions and what one judge said of them; both finished."""

    completions: Part
    scores: Part

    def frame(self) -> "pd.DataFrame":
        """A row a completion: persona, prompt, user, sample, completion, finish, of a choice right, p_right and
        logprobs; score, hit, coherence and reason are missing where the judge could not tell."""
        import pandas as pd

        texts = pd.read_parquet(self.completions.folder / "completions.parquet")
        verdicts = pd.read_parquet(self.scores.folder / "verdicts.parquet")
        return texts.merge(verdicts, on=["persona", "prompt", "sample"], how="left", validate="1:1")


@dataclass(frozen=True)
class Artifacts:
    """The finished records of one cell; None stands for one that is missing, damaged or of other answers.

    multirun: what their folders are told relative to
    """

    multirun: Path
    facts: Mapping[str, Any]
    adapter: Part | None
    after: Answers | None
    before: Answers | None
    geometry: Part | None

    @property
    def parts(self) -> dict[str, Part]:
        """Every record that is there, by what it holds, in the order in which they were made."""
        records = {"geometry": self.geometry, "training": self.adapter}
        for when, answers in (("before", self.before), ("after", self.after)):
            records |= {f"completions {when}": answers.completions, f"scores {when}": answers.scores} if answers else {}
        return {name: part for name, part in records.items() if part}

    def config(self) -> str:
        """The adapter's config as it was composed, YAML; empty where it is not there."""
        return (self.adapter.folder / "config.yaml").read_text() if self.adapter else ""

    def log(self) -> list[dict[str, Any]]:
        """Training, a row a step: step, loss, learning_rate, …"""
        return self.adapter.rows("train_log.jsonl") if self.adapter else []

    def lint(self) -> list[dict[str, Any]]:
        """What the lint of the training data found: rule, level, message."""
        return json.loads((self.adapter.folder / "lint.json").read_text()) if self.adapter else []

    def examples(self) -> list[dict[str, Any]]:
        """The training data: role, persona, system, user, answer."""
        return self.adapter.rows("examples.jsonl") if self.adapter else []


def read_artifacts(multirun: Path) -> dict[Key, Artifacts]:
    """The artifacts of every finished cell below a folder, by what identifies it in the tidy frame (KEY)."""
    done = {
        found.folder: Part(found.folder, found.manifest)
        for found in find(multirun)
        if found.status is Status.DONE and found.manifest is not None
    }
    cells = [part for part in done.values() if _is_cell(part)]
    variants = name_variants([part.manifest.facts for part in cells])
    return {
        _key(part, variant): _artifacts(part, done, multirun) for part, variant in zip(cells, variants, strict=True)
    }


def _is_cell(part: Part) -> bool:
    """As in the tidy frame: scores, and no baseline's."""
    return part.manifest.kind == "scores" and "baseline" in part.manifest.facts


def _key(part: Part, variant: str) -> Key:
    return tuple((part.manifest.facts | {"variant": variant})[name] for name in KEY)


def key_of(row: Mapping[str, Any]) -> Key:
    """What identifies the cell of a row of the tidy frame, or of a table made of it."""
    return tuple(row[name] for name in KEY)


def _artifacts(scores: Part, done: Mapping[Path, Part], multirun: Path) -> Artifacts:
    facts = scores.manifest.facts
    return Artifacts(
        multirun=multirun,
        facts=facts,
        adapter=done.get(scores.folder.parents[1]),
        after=_answers(scores.folder, done),
        before=_answers(multirun / facts["baseline"] / scores.folder.name, done),
        geometry=done.get(multirun / facts["geometry"]),
    )


def _answers(folder: Path, done: Mapping[Path, Part]) -> Answers | None:
    scores, completions = done.get(folder), done.get(folder.parent)
    return Answers(completions, scores) if scores and completions else None
