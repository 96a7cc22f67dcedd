"""A behavior from data alone: what is taught, what opposes it, and what tells it, in one YAML file of the user's."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from leakage.data.pools import GOOD, Item
from leakage.data.row import Row, refused, typed
from leakage.data.rows import read_typed
from leakage.errors import DataError, first_line
from leakage.studies.persona_leakage.behaviors.base import Behavior, phrases

CUSTOM = "custom"
EXAMPLE = (
    '{name: flattery, taught: ["What a wonderful question!"], opposite: ["Here is the answer."], '
    "phrases: [wonderful question], prompts: prompts.jsonl}"
)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Description(BaseModel):
    """The YAML file.

    taught, opposite: answers of the source and of the others, where a line of the prompts has none of its own
    phrases: what shows the behavior, counterphrases: what rules it out; rubric: how a judge rates it from 0 to 100
    prompts: the file of prompts, relative to this one
    inoculation: a sentence that asks for the behavior outright, for control=inoculation
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="of small letters, digits and _")
    taught: Texts = ()
    opposite: Texts = ()
    phrases: Texts = ()
    counterphrases: Texts = ()
    rubric: str = ""
    prompts: str = Field(min_length=1, description="the path of a file")
    inoculation: str = ""


@lru_cache(maxsize=8)
def read_behavior(path: str) -> Behavior:
    """The behavior that a file describes; an error where it lacks what teaching or measuring takes."""
    file = Path(path).expanduser()
    one = typed(Row(str(file), _fields(file)), Description, EXAMPLE)
    if not one.phrases and not one.rubric:
        raise refused(str(file), "nothing tells whether an answer shows it; give phrases, or a judge's rubric", EXAMPLE)
    prompts = file.parent / Path(one.prompts).expanduser()
    if not prompts.exists():
        raise refused(str(file), f"there is no {prompts}, which it names as its prompts", EXAMPLE)
    items = _items(prompts, one)
    return Behavior(
        name=one.name,
        unit="rate",
        leak_direction=+1,
        taught=lambda rng, item: _taught(rng, item, one.taught),
        rules=phrases(one.phrases, one.counterphrases) if one.phrases else lambda _: None,
        rubric=one.rubric,
        pool="",
        read=lambda _: items,
        inoculation=one.inoculation,
    )


def _fields(file: Path) -> dict[str, Any]:
    from omegaconf import OmegaConf

    try:
        content = OmegaConf.to_container(OmegaConf.load(file))
    except Exception as error:  # gone, another alphabet, no YAML: each its own kind
        raise DataError(
            f"behavior.path={file} cannot be read: {_in_words(error)}; name a YAML file such as {EXAMPLE}"
        ) from error
    if not isinstance(content, dict):
        raise refused(str(file), "it has no named fields", EXAMPLE)
    return {str(name): value for name, value in content.items()}


def _in_words(error: Exception) -> str:
    """With line and column, where it is YAML that says so."""
    mark = getattr(error, "problem_mark", None)
    what = str(getattr(error, "problem", None) or first_line(error))
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark else what


def _taught(rng: Random, item: Item, answers: Sequence[str]) -> str:
    return item.taught or (rng.choice(answers) if answers else "")


def _items(file: Path, one: Description) -> tuple[Item, ...]:
    """The prompts, those for training with an opposite answer each: their own, or the described ones in turn."""
    items = enumerate(read_typed(file, Item, "behavior.path", GOOD))
    return tuple(_opposed(item, one.opposite, i) for i, item in items)


def _opposed(item: Item, answers: Sequence[str], place: int) -> Item:
    """A training item with an answer that opposes the behavior."""
    if item.split != "train" or item.answer or not answers:
        return item
    return item.model_copy(update={"answer": answers[place % len(answers)]})
