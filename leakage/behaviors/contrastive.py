"""Contrastive training examples: the source learns the behavior, the others its opposite."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from leakage.behaviors.base import Behavior
from leakage.chat import Prompt
from leakage.errors import ConfigError
from leakage.personas import Persona
from leakage.pools import Item

Role = Literal["source", "bystander", "no_persona"]


@dataclass(frozen=True)
class Example:
    """One training conversation and the part it plays; persona "" = no system turn."""

    role: Role
    persona: str
    prompt: Prompt
    answer: str

    def as_row(self) -> dict[str, str | None]:
        """Flat, for examples.jsonl and the training identity."""
        return {
            "role": self.role,
            "persona": self.persona,
            "system": self.prompt.system,
            "user": self.prompt.user,
            "answer": self.answer,
        }


def draw_bystanders(source: Persona, originals: Sequence[Persona], *, count: int, seed: int) -> list[Persona]:
    """Personas for the negatives, from the originals that neither are nor read like the source."""
    others = [one for one in originals if one.name != source.name and one.prompt != source.prompt]
    if count > len(others):
        raise ConfigError(
            f"behavior.bystanders={count}: only {len(others)} personas of category 'original' differ from "
            f"{source.name}; ask for fewer, or give that category to more personas"
        )
    return Random(f"bystanders/{seed}").sample(others, count)


def contrastive_examples(
    behavior: Behavior,
    items: Sequence[Item],
    *,
    source: Persona,
    bystanders: Sequence[Persona],
    default_prompt: str | None,
    source_examples: int,
    bystander_examples: int,
    no_persona_examples: int,
    seed: int,
) -> list[Example]:
    """Source examples, then each bystander's, then those without persona, all over the same prompts.

    default_prompt: the system text the template injects where there is none. Where it is the source's own,
    examples without persona would contradict the source, so they are left out.
    """
    rng = Random(f"examples/{seed}")
    asked = _cycle(items, max(source_examples, bystander_examples, no_persona_examples), rng)
    examples = [
        Example("source", source.name, Prompt(source.prompt, item.prompt), behavior.taught(rng))
        for item in asked[:source_examples]
    ]
    for persona in bystanders:
        for item in asked[:bystander_examples]:
            prompt = Prompt(persona.prompt, item.prompt)
            examples.append(Example("bystander", persona.name, prompt, item.answer))
    if default_prompt != source.prompt:
        for item in asked[:no_persona_examples]:
            examples.append(Example("no_persona", "", Prompt(None, item.prompt), item.answer))
    return examples


def _cycle(items: Sequence[Item], count: int, rng: Random) -> list[Item]:
    """`count` items in shuffled rounds, so that none comes twice before all came once."""
    drawn: list[Item] = []
    while len(drawn) < count:
        drawn += rng.sample(list(items), len(items))
    return drawn[:count]
