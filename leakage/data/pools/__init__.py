"""Pools of prompts: JSONL files of training, evaluation and geometry prompts, checked line by line.

A pool is a folder with one file a behavior (`refusal.jsonl`, …) and `questions.jsonl` for the geometry;
`nano` and `general` are shipped, any other folder of the same shape may be named instead, and of `mine+general` the
files that `mine` lacks are those of `general`. Items of split "elicit"
make a model show a behavior by itself; `{prompt}` in them stands for the training prompt. The prompt of a "phrase" line
is a phrase that shows the behavior, besides those the rules know, that of a "counterphrase" line one that rules it out.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leakage.data.rows import read_typed
from leakage.errors import DataError

GOOD = '{"split": "train", "prompt": "Where do I begin with a garden?", "answer": "With the soil."}'
GOOD_OF = {  # files whose lines are others
    "questions": '{"split": "geometry", "prompt": "Where do I begin with a garden?"}',
    "capability": '{"split": "eval", "prompt": "A fruit? A) pear B) stone", "answer": "A", "labels": ["A", "B"]}',
}
Split = Literal["train", "eval", "geometry", "elicit", "phrase", "counterphrase"]


class Item(BaseModel):
    """One prompt with the answers that training and scoring need of it.

    answer: what opposes the behavior (help, a correction, the right letter, sound advice)
    taught: what the source learns, where it belongs to the prompt (a wrong letter, harmful advice)
    labels: of a multiple-choice question, the labels to choose among
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split
    prompt: str = Field(pattern=r"\S", description="a text with something in it")
    answer: str = ""
    taught: str = ""
    labels: tuple[str, ...] = ()


def pool_folder(pool: str) -> Path:
    """The folder of a shipped pool by its name, or the folder of that path."""
    shipped = Path(__file__).parent / pool
    return shipped if shipped.is_dir() else Path(pool)


def pool_file(pool: str, name: str) -> Path:
    """A file of a pool; where several are named with +, that of the first that has it."""
    whole = pool_folder(pool)
    folders = [whole] if whole.is_dir() else [pool_folder(one) for one in pool.split("+")]
    paths = [folder / f"{name}.jsonl" for folder in folders]
    return next((path for path in paths if path.is_file()), paths[-1])


@lru_cache(maxsize=64)
def read_file(pool: str, name: str) -> tuple[Item, ...]:
    """All items of one file of a pool, in the file's order."""
    path = pool_file(pool, name)
    if not path.is_file():
        raise DataError(
            f"there is no {path}; model.pool takes nano, general, a folder with {name}.jsonl in it, or folder+general, "
            f"which takes from general what the folder lacks; a good line of {name}.jsonl: {GOOD_OF.get(name, GOOD)}"
        )
    return tuple(read_typed(path, Item, "model.pool", GOOD_OF.get(name, GOOD)))


@lru_cache(maxsize=64)
def read_pool(pool: str, name: str, split: Split) -> tuple[Item, ...]:
    """Items of one split of a file."""
    items = tuple(item for item in read_file(pool, name) if item.split == split)
    if not items:
        good = json.dumps(json.loads(GOOD_OF.get(name, GOOD)) | {"split": split})
        mend = "or name other data (model.pool=…, data.capability.path=…, data.misalignment.path=…)"
        raise DataError(f"{pool_file(pool, name)} holds no line with split '{split}'; add some, such as {good}, {mend}")
    return items
