"""A family's checkpoint as the project loads it, and what it is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakage.data.personas import read_personas
from leakage.data.pools import read_pool
from leakage.models.chat import ChatTemplate, Prompt
from leakage.models.load import for_inference, load_base, load_template
from tests.families.checkpoints import Family


@dataclass(frozen=True)
class Loaded:
    """base: in float32, as for training; no test may leave it changed"""

    family: Family
    settings: Any
    base: Any
    template: ChatTemplate

    def model(self) -> Any:
        """A copy to be asked, in the widest dtype that the architecture takes."""
        return for_inference(load_base(self.settings, "cpu"), self.settings)


def load(family: Family, families: Callable[[Family], Path]) -> Loaded:
    """The family's model and template; families: writes a checkpoint and returns its folder."""
    settings = family.settings(families(family))
    return Loaded(family, settings, load_base(settings, "cpu"), load_template(settings))


@lru_cache(maxsize=1)
def prompts() -> tuple[Prompt, ...]:
    """Questions of unequal lengths under system prompts of unequal lengths, none and an empty one."""
    personas = read_personas().members
    asked = read_pool("general", "refusal", "eval")
    systems = [*(personas[i * 9].prompt for i in range(6)), None, ""]
    return tuple(Prompt(system, asked[i * 5].prompt) for i, system in enumerate(systems))


@lru_cache(maxsize=1)
def answers() -> tuple[str, ...]:
    """Answers of the pools, and beginnings that a tokenizer cuts in ways of its own."""
    shipped = [item.answer for item in read_pool("general", "refusal", "train")[:4]]
    return (*shipped, "B) It is the second.", "12 of them, or 3.", "no", "“Naïve”, of course 🙂!")


def pairs() -> list[tuple[Prompt, str]]:
    """Each prompt with an answer."""
    return list(zip(prompts(), answers(), strict=True))
