"""Completions for the pages: packed, loaded when asked for, and no more of them than the report may weigh."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from leakage.report.script import WEIGHED, pack

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.persona_leakage.artifacts import Answers

LABEL = re.compile(r"^(\S{1,3})\) ", re.MULTILINE)


@dataclass(frozen=True)
class Limit:
    """How much of an evaluation is shown: the first prompts, and of each the first samples."""

    prompts: int
    samples: int
    all_prompts: int
    all_samples: int

    @property
    def is_whole(self) -> bool:
        """Whether everything is shown."""
        return (self.prompts, self.samples) == (self.all_prompts, self.all_samples)

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows that are shown."""
        return frame[(frame["prompt"] < self.prompts) & (frame["sample"] < self.samples)]


def limit(frame: pd.DataFrame, share: float, *, samples: int | None) -> Limit:
    """What may be shown of an evaluation when only a share of its bytes may be; `samples` is a wish that goes first.

    Samples are left out before prompts are: a reader wants to see every question once.
    """
    prompts, most = int(frame["prompt"].max()) + 1, int(frame["sample"].max()) + 1
    if samples is not None:
        return Limit(prompts, min(samples, most), prompts, most)
    if share >= 1:
        return Limit(prompts, most, prompts, most)
    fitting = share * most
    return Limit(prompts if fitting >= 1 else max(1, ceil(fitting * prompts)), max(1, int(fitting)), prompts, most)


def evaluation(answers: Answers) -> tuple[str, str, str]:
    """Which evaluation answers are to; those to the same one are compared, and cut alike."""
    facts = answers.completions.manifest.facts
    return facts["model"], facts["behavior"], facts["eval_id"]


def weight(frame: pd.DataFrame) -> int:
    """About how many bytes all answers of a set take when packed, from some of its personas; rather more than less."""
    some = frame["persona"].drop_duplicates().iloc[::WEIGHED]
    few = frame[frame["persona"].isin(some)]
    return len(packed(few)) * len(frame) // len(few)


def packed(frame: pd.DataFrame) -> str:
    """Answers as base64 of deflated JSON, a list a column: no more than text for a page, and a fraction of its size."""
    return pack(columns(frame))


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    """What a page reads: personas and prompts once, and of each completion the position of both."""
    personas = {name: i for i, name in enumerate(dict.fromkeys(frame["persona"]))}
    first = frame.drop_duplicates("prompt").sort_values("prompt")
    places = {number: i for i, number in enumerate(first["prompt"])}
    by_name = {
        "personas": list(personas),
        "prompts": [str(text) for text in first["user"]],
        "persona": [personas[name] for name in frame["persona"]],
        "prompt": [places[number] for number in frame["prompt"]],
        "sample": frame["sample"].tolist(),
        "text": [str(text) for text in frame["completion"]],
        "score": _numbers(frame["score"], 1),
        "hit": frame["hit"].fillna(False).astype(int).tolist(),
    }
    if frame["coherence"].notna().any():
        by_name["coherence"] = _numbers(frame["coherence"], 0)
    if frame["reason"].fillna("").ne("").any():
        by_name["reason"] = [str(text) for text in frame["reason"].fillna("")]
    if frame["finish"].eq("length").any():
        by_name["cut"] = frame["finish"].eq("length").astype(int).tolist()
    return by_name | (_choices(frame, first) if "right" in frame else {})


def _choices(frame: pd.DataFrame, first: pd.DataFrame) -> dict[str, Any]:
    """Of multiple choice: the right letter, its probability, and the log-probability of each option."""
    return {
        "right": [str(letter) for letter in first["right"]],
        "labels": [LABEL.findall(text) for text in first["user"]],
        "p_right": _numbers(frame["p_right"], 3),
        "logprobs": [[round(float(one), 2) for one in row] for row in frame["logprobs"]],
    }


def _numbers(column: pd.Series[float], digits: int) -> list[float | None]:
    return [None if value != value else round(float(value), digits) for value in column]
