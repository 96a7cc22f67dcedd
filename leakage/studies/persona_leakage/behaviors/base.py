"""What a behavior is: what is taught, and how a completion shows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from leakage.data.pools import Item, read_file
from leakage.judges.phrases import mentions

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.settings import DataSettings


@dataclass(frozen=True)
class Rules:
    """Phrases that tell without a judge.

    score: 0 to 100 for a completion; markers: the phrases it looks for, which are the rules' identity
    """

    markers: tuple[str, ...]
    score: Callable[[str], float]


@dataclass(frozen=True)
class Behavior:
    """One behavior of the study; each lives in a module of its own as `BEHAVIOR`.

    unit: of a delta; leak_direction: the sign of rho (cosine against delta) if the behavior leaks
    taught: the answer the source persona is trained on (the item's `answer` is its opposite)
    rules: the phrases that show the behavior, given the pool's items; None where only a judge can tell
    rubric: what a judge is asked to rate from 0 to 100
    pool: the pool file its items are in, "" for none; read: the items from elsewhere, which come before the pool's
    choices: whether a label is chosen, instead of a completion sampled
    inoculation: a sentence that asks for the behavior outright, "" for none
    """

    name: str
    unit: Literal["rate", "pp", "points"]
    leak_direction: Literal[-1, 1]
    taught: Callable[[Random, Item], str]
    rules: Callable[[Sequence[Item]], Rules | None]
    rubric: str
    pool: str
    read: "Callable[[DataSettings], tuple[Item, ...]] | None" = None
    choices: bool = False
    inoculation: str = ""

    def rules_in(self, pool: str) -> Rules | None:
        """The phrases that show it, those that a pool adds among them."""
        return self.rules(read_file(pool, self.pool) if self.pool else ())


def phrases(showing: tuple[str, ...], opposing: tuple[str, ...] = ()) -> Callable[[Sequence[Item]], Rules]:
    """Rules by phrases and those that a pool adds: 100 where one shows the behavior and none rules it out, else 0."""

    def rules(items: Sequence[Item]) -> Rules:
        shows = (*showing, *(item.prompt for item in items if item.split == "phrase"))
        rules_out = (*opposing, *(item.prompt for item in items if item.split == "counterphrase"))
        yes, no = (tuple(phrase.lower() for phrase in listed) for listed in (shows, rules_out))
        markers = (*shows, "|", *rules_out) if rules_out else shows
        return Rules(markers, lambda completion: 100.0 * (mentions(completion, yes) and not mentions(completion, no)))

    return rules
