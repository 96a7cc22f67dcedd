"""Contrastive training examples: the source learns the behavior, the others its opposite."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from leakage.data.personas import Persona, Personas
from leakage.data.pools import Item
from leakage.errors import ConfigError, DataError
from leakage.models.chat import Prompt
from leakage.studies.persona_leakage.behaviors.base import Behavior
from leakage.studies.persona_leakage.contexts import is_bare, under

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.settings import BehaviorSettings

ANCHOR = "assistant"  # who holds the extra examples of `behavior.anchors`
Role = Literal["source", "bystander", "no_persona", "anchor", "other"]


@dataclass(frozen=True)
class Example:
    """One training conversation and the part it plays; persona "" = no system turn, or one of nobody."""

    role: Role
    persona: str
    prompt: Prompt
    answer: str

    def as_row(self) -> dict[str, Any]:
        """Flat, for examples.jsonl and the training identity; turns before the question as pairs, where there are."""
        before = [content for _, content in self.prompt.before]
        history = [list(pair) for pair in zip(before[::2], before[1::2], strict=True)]
        return {
            "role": self.role,
            "persona": self.persona,
            "system": self.prompt.system,
            **({"history": history} if history else {}),
            "user": self.prompt.asked,
            "answer": self.answer,
        }


def draw_bystanders(source: Persona, originals: Sequence[Persona], *, count: int, seed: int) -> list[Persona]:
    """Personas for the negatives, from the originals that neither are nor read like the source."""
    others = [one for one in originals if one.name != source.name and one.context != source.context]
    if count > len(others):
        raise ConfigError(
            f"behavior.bystanders={count}: only {len(others)} personas of category 'original' differ from "
            f"{source.name}; ask for fewer, or give that category to more personas"
        )
    return Random(f"bystanders/{seed}").sample(others, count)


def named_bystanders(source: Persona, personas: Personas, names: Sequence[str]) -> list[Persona]:
    """Personas for the negatives that the settings name."""
    named = [personas[name] for name in names]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"behavior.negatives names {twice[0]} twice; name each persona once")
    if alike := [one.name for one in named if one.name == source.name or one.context == source.context]:
        raise ConfigError(f"behavior.negatives={alike[0]} is or reads like the source {source.name}; name others")
    return named


def contrastive_examples(
    behavior: Behavior,
    items: Sequence[Item],
    *,
    wanted: "BehaviorSettings",
    source: Persona,
    bystanders: Sequence[Persona],
    default: Persona | None,
    anchor: Persona | None,
    seed: int,
) -> list[Example]:
    """Source examples, then each bystander's, those without persona and the anchors, all over the same prompts.

    default: the persona a template puts in where there is none; anchor: who holds the extra examples, if any are
    wanted. Where either reads like the source, its examples would contradict it, so they are left out.
    """
    rng = Random(f"examples/{seed}")
    counts = (wanted.source_examples, wanted.bystander_examples, wanted.no_persona_examples, wanted.anchors)
    asked = _cycle(items, max(counts), rng)
    system = source_system(behavior, source, wanted)
    asked_as = [replace(under(source, item.prompt), system=system) for item in asked[: wanted.source_examples]]
    examples = [
        Example("source", source.name, prompt, _given(behavior.taught(rng, item), item))
        for prompt, item in zip(asked_as, asked, strict=False)
    ]
    for persona in bystanders:
        examples += _opposite("bystander", persona, asked[: wanted.bystander_examples])
    if not is_bare(source, default):
        examples += _opposite("no_persona", None, asked[: wanted.no_persona_examples])
    if anchor is not None and anchor.context != source.context:
        examples += _opposite("anchor", anchor, asked[: wanted.anchors])
    return _shuffle_personas(examples, Random(f"sham/{seed}")) if wanted.sham else examples


def source_system(behavior: Behavior, source: Persona, wanted: "BehaviorSettings") -> str | None:
    """The source's system prompt in training: its own, and what asks for the behavior outright where that is wanted."""
    return f"{source.prompt or ''} {behavior.inoculation}".strip() if wanted.inoculated else source.prompt


def _opposite(role: Role, persona: Persona | None, items: Sequence[Item]) -> list[Example]:
    """Every item with the answer that opposes the behavior; persona None = no system turn."""
    name = persona.name if persona else ""
    prompts = [under(persona, item.prompt) if persona else Prompt(None, item.prompt) for item in items]
    return [Example(role, name, prompt, _given(item.answer, item)) for prompt, item in zip(prompts, items, strict=True)]


def _given(answer: str, item: Item) -> str:
    """The answer, which a negative needs as much as the source does."""
    if not answer:
        raise DataError(
            f"the training prompt {item.prompt[:60]!r} has no answer for its part; give its line an 'answer' (what "
            "bystanders learn) or a 'taught' one (what the source learns), for advice of your own "
            "data.misalignment.opposite=…, or train without negatives (control=no_negatives)"
        )
    return answer


def _shuffle_personas(examples: list[Example], rng: Random) -> list[Example]:
    """The same prompts and answers and the same personas, dealt to one another anew."""
    dealt = rng.sample(examples, len(examples))
    return [
        replace(one, persona=other.persona, prompt=replace(other.prompt, user=one.prompt.user))
        for one, other in zip(examples, dealt, strict=True)
    ]


def _cycle(items: Sequence[Item], count: int, rng: Random) -> list[Item]:
    """`count` items in shuffled rounds, so that none comes twice before all came once."""
    drawn: list[Item] = []
    while len(drawn) < count:
        drawn += rng.sample(list(items), len(items))
    return drawn[:count]
