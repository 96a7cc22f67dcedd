"""Pools of prompts: JSONL files of training, evaluation and geometry prompts, checked line by line.

A pool is a folder with one file a behavior (`refusal.jsonl`, …) and `questions.jsonl` for the geometry;
`nano` and `general` are shipped, any other folder of the same shape may be named instead.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leakage.errors import DataError
from leakage.store.files import read_jsonl

Split = Literal["train", "eval", "geometry"]


class Item(BaseModel):
    """One prompt; a training item brings the answer that opposes the taught behavior."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split
    prompt: str = Field(min_length=1)
    answer: str = ""


def pool_folder(pool: str) -> Path:
    """The folder of a shipped pool by its name, or the folder of that path."""
    shipped = Path(__file__).parent / pool
    return shipped if shipped.is_dir() else Path(pool)


@lru_cache(maxsize=64)
def read_pool(pool: str, name: str, split: Split) -> tuple[Item, ...]:
    """Items of one split of one file of a pool, in the file's order."""
    path = pool_folder(pool) / f"{name}.jsonl"
    if not path.is_file():
        raise DataError(f"there is no {path}; model.pool takes nano, general or a folder with {name}.jsonl in it")
    items = tuple(item for item in read_jsonl(path, Item) if item.split == split)
    if not items:
        raise DataError(f"{path} holds no line with split '{split}'; add some or name another pool (model.pool=…)")
    if split == "train" and any(not item.answer for item in items):
        line = next(item for item in items if not item.answer)
        raise DataError(f"{path}: the training prompt {line.prompt!r} has no answer; add an 'answer' to its line")
    return items
