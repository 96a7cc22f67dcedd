"""Answers as a data set folder of the hub: Parquet files and a card."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.files import replacing, write_text
from leakage.studies.answers import COLUMNS, AnswerSet

if TYPE_CHECKING:
    import pandas as pd

CARD = """---
pretty_name: {title}
tags:
- leakage
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# {title}

{rows:,} answers of {models}, in {sets} sets, each a Parquet file of its own.

| column | what it holds |
|---|---|
| {facts} | which set it is: the same in every row of a file |
| {condition} | under what was asked |
| prompt, sample | number of the prompt, and which of the answers to it |
| system, turns, user | what the model was sent; turns between the two as JSON, mostly none |
| completion, finish | what it said, and why it ended |
| score, hit, reason | what the judge made of it; the score from 0 to 100, missing where it could not tell |

    from datasets import load_dataset
    answers = load_dataset("THIS_FOLDER", split="train")
"""


def write_hub(sets: Sequence[AnswerSet], folder: Path) -> None:
    """Write Parquet files with the same columns, and the card that tells how to load them."""
    kinds = {name: type(value) for one in sets for name, value in one.facts.items()}
    for one in sets:
        with replacing(folder / "data" / f"{one.name}.parquet") as file:
            _frame(one, kinds).to_parquet(file, index=False)
    models = sorted({one.model for one in sets})
    card = CARD.format(
        title=f"Answers of {', '.join(models)}",
        rows=sum(len(one.frame) for one in sets),
        models=", ".join(models),
        sets=len(sets),
        facts=", ".join(kinds),
        condition=sets[0].condition,
    )
    write_text(folder / "README.md", card)


def _frame(one: AnswerSet, kinds: dict[str, type]) -> "pd.DataFrame":
    """All facts, then the answers; every set has the same columns and types, or nobody could load them as one."""
    import pandas as pd

    size = len(one.frame)
    facts = {
        name: pd.Series([one.facts.get(name)] * size).astype("Int64" if kind is int else "string")
        for name, kind in kinds.items()
    }
    answers = one.frame.reset_index(drop=True)[[one.condition, *COLUMNS]]
    texts = dict.fromkeys(("system", "turns", "user", "completion", "finish", "reason"), "string")
    typed = answers.astype({**texts, "score": "float64", "hit": "boolean"})
    return pd.concat([pd.DataFrame(facts), typed], axis=1)
