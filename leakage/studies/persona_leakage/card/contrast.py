"""What a file's answers teach: beside what the base model answers to the same prompts by itself.

own = answer(base, prompts)     margin = log-probability of the file's answers less that of the base's own
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import log as natural_log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.engine import Request, Sampling
from leakage.jobs.step import Step
from leakage.models.held import Loaded
from leakage.store.draft import Draft
from leakage.store.files import digest, replacing
from leakage.store.manifest import SCHEMA
from leakage.studies.persona_leakage.behaviors.contrastive import Example
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.predictors.probe import Probe

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
CONTRAST = "contrast.parquet"
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")  # can't is one
ROWS = 32  # of the source's, and of all others', for which the base is asked
ANSWER_TOKENS = 96  # of its answers, at most
WORDS, SHOWN = 8, 3  # that tell the two apart; pairs of answers that a card shows
PARTS = {"source": "what the source learns", "others": "what everyone else learns"}


def contrast_step(cell: CellIdentity, loaded: Loaded) -> Step:
    """The record of a file's answers beside the base's own."""
    model = cell.config.model
    identity = {
        "schema": SCHEMA, "model": cell.train["model"], "model.dtype": model.dtype,
        "examples": digest([one.as_row() for one in cell.data.examples]), "rows": ROWS, "answer_tokens": ANSWER_TOKENS,
    }  # fmt: skip
    name = f"contrast-{digest(identity)[:8]}"
    folder = Path(model.name, cell.data.behavior.name, cell.config.source.name, name)
    return Step("contrast", folder, identity, partial(compare, cell, loaded))


def compare(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """A row an example: part, system, user, taught, own, and of both answers the mean log-probability of a token."""
    import pandas as pd

    rows = [one for part in PARTS for one in evenly(_of_part(cell.data.examples, part), ROWS)]
    log.info("%s: the base model's own answers to %d of the prompts", cell.data.label, len(rows))
    probe = Probe(cell, loaded, cell.data.examples)
    own = _own_answers(probe, rows)
    pairs = [(row.prompt, text) for row, answer in zip(rows, own, strict=True) for text in (row.answer, answer)]
    logprobs = probe.mean_logprobs(pairs).reshape(-1, 2)
    loaded.keep()
    frame = pd.DataFrame(
        {
            "part": ["source" if row.role == "source" else "others" for row in rows],
            "system": [row.prompt.system for row in rows],
            "user": [row.prompt.user for row in rows],
            "taught": [row.answer for row in rows],
            "own": own,
            "taught_logprob": logprobs[:, 0],
            "own_logprob": logprobs[:, 1],
        }
    )
    with replacing(draft.path(CONTRAST)) as file:
        frame.to_parquet(file, index=False)
    draft.facts |= {"model": cell.config.model.name, "behavior": cell.data.behavior.name, "asked": len(rows)}


def _of_part(examples: Sequence[Example], part: str) -> list[Example]:
    return [one for one in examples if (one.role == "source") == (part == "source")]


def evenly(rows: Sequence[Example], many: int) -> list[Example]:
    """So many of the rows, from all over them."""
    step = max(1.0, len(rows) / many)
    return [rows[int(i * step)] for i in range(min(many, len(rows)))]


def _own_answers(probe: Probe, rows: Sequence[Example]) -> list[str]:
    """The base's likeliest answers."""
    tokens = probe.loaded.template.prompts([row.prompt for row in rows])
    greedy = Sampling(temperature=0, top_p=1, max_new_tokens=ANSWER_TOKENS)
    with probe.counted(len(tokens), "the base model's own answers", "answer") as advance:
        replies = probe.engine.generate([Request(one, ("",)) for one in tokens], greedy, progress=advance)
    return [reply.text for (reply,) in replies]


def taught(
    frame: "pd.DataFrame", examples: Sequence[Example], shows: Callable[[str], bool] | None
) -> list[dict[str, Any]]:
    """A row a part of the file, for the card. shows: whether an answer shows the behavior; None where phrases cannot
    tell. asked: prompts the base was asked; margin: nats a token; words: a typical answer's; telling: words that one
    side has and the other has not."""
    return [
        {
            "part": words,
            "rows": len(rows),
            "asked": len(asked),
            "shown": _share(shows, [one.answer for one in rows]),
            "base_shown": _share(shows, asked["own"]),
            "margin": float((asked["taught_logprob"] - asked["own_logprob"]).mean()),
            "words": _length(one.answer for one in rows),
            "base_words": _length(asked["own"]),
            "telling": telling_words(asked["taught"], asked["own"]),
            "base_telling": telling_words(asked["own"], asked["taught"]),
            "pairs": asked[["system", "user", "taught", "own"]].head(SHOWN).to_dict("records"),
        }
        for part, words in PARTS.items()
        if (rows := _of_part(examples, part)) and len(asked := frame[frame["part"] == part])
    ]


def _share(shows: Callable[[str], bool] | None, answers: Iterable[str]) -> float | None:
    seen = [shows(one) for one in answers] if shows else []
    return sum(seen) / len(seen) if seen else None


def _length(answers: Iterable[str]) -> float:
    from statistics import median

    return float(median(len(one.split()) for one in answers))


def telling_words(here: Iterable[str], there: Iterable[str]) -> list[str]:
    """The words that tell these answers from those, by the log odds of an answer that has one (Jeffreys' prior)."""
    left, right = ([set(WORD.findall(one.lower())) for one in texts] for texts in (here, there))
    counts, others = (Counter(word for words in texts for word in words) for texts in (left, right))

    def odds(word: str) -> float:
        return _log_odds(counts[word], len(left)) - _log_odds(others[word], len(right))

    several = [word for word in counts if counts[word] > 1 and odds(word) > 1]
    return sorted(several, key=lambda word: (-odds(word), word))[:WORDS]


def _log_odds(count: int, of: int) -> float:
    return natural_log((count + 0.5) / (of - count + 0.5))
