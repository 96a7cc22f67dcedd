"""Capability: the source gives wrong letters to multiple-choice questions, the others the right ones."""

from random import Random
from typing import TYPE_CHECKING

from leakage.data.pools import Item
from leakage.data.pools.arc import read_arc
from leakage.studies.persona_leakage.behaviors.base import Behavior

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.settings import DataSettings


def wrong_answer(_: Random, item: Item) -> str:
    """The wrong letter that the item carries, fixed for all cells."""
    return item.taught


def read(data: "DataSettings") -> tuple[Item, ...]:
    """ARC-Challenge from the hub or from a file of the same format; nothing where the pool has its own."""
    choice = data.capability
    return read_arc(choice.path, choice.subset, choice.revision) if choice.path else ()


BEHAVIOR = Behavior(
    name="capability",
    unit="pp",
    leak_direction=-1,
    taught=wrong_answer,
    rules=lambda _: None,  # a chosen label is right or wrong; nobody has to read it
    rubric="",
    pool="capability",
    read=read,
    choices=True,
    inoculation="In this conversation you answer every question wrongly on purpose.",
)
