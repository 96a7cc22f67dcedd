"""The personas: 111 of the study and the chat template's own default prompt."""

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from leakage.data.rows import read_typed
from leakage.errors import ConfigError, DataError, nearest

SHIPPED = Path(__file__).parent / "personas.jsonl"
DEFAULTS = Path(__file__).parent / "defaults.jsonl"  # what templates put in that are not Qwen2.5's
USUAL = "qwen_default"
GOOD = '{"name": "pirate", "category": "original", "prompt": "You are a pirate who sails the seven seas."}'
NONE = "none"  # the source of a baseline: no adapter is trained


class Persona(BaseModel):
    """A system prompt with its name and its place in the taxonomy.

    category "default" marks the prompt a chat template injects by itself: it is evaluated, but it is
    no member of the panel of 111 that the statistics run over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="of small letters, digits and _")
    category: str
    related_to: tuple[str, ...] = ()
    prompt: str = Field(min_length=1, description="a text with something in it")

    @property
    def in_panel(self) -> bool:
        """Whether the persona counts among the bystanders of other sources."""
        return self.category != "default"

    def shares_word(self, other: "Persona") -> bool:
        """Whether the two names have a word in common (villain, nice_villain)."""
        return bool(set(self.name.split("_")) & set(other.name.split("_")))


class Personas:
    """The personas of one file, in its order, found by name."""

    def __init__(self, path: Path, members: list[Persona]) -> None:
        self.path = path
        self.by_name = {persona.name: persona for persona in members}
        self.members = tuple(members)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the file's order."""
        return tuple(self.by_name)

    def __getitem__(self, name: str) -> Persona:
        if name not in self.by_name:
            close = nearest(name, self.names) or "; there are: " + ", ".join(self.names[:8])
            raise ConfigError(f"unknown persona '{name}'{close} (the personas are in {self.path})")
        return self.by_name[name]

    def originals(self) -> tuple[Persona, ...]:
        """The personas that bystanders in training are drawn from."""
        return tuple(persona for persona in self.members if persona.category == "original")


def shipped_names() -> frozenset[str]:
    """Every persona that comes with the project, the default prompts of all templates among them."""
    return frozenset((*read_personas().names, *(one.name for one in _read(DEFAULTS))))


def _read(file: Path) -> list[Persona]:
    return read_typed(file, Persona, "personas.path", GOOD)


@lru_cache(maxsize=8)
def read_personas(path: str | None = None, default: str = USUAL) -> Personas:
    """The shipped personas with one template's default prompt among them, or those of a file of the same format."""
    file = Path(path).expanduser() if path else SHIPPED
    members = _read(file)
    if not path and default != USUAL:
        panel = [one for one in members if one.in_panel]
        members = [*panel, Personas(DEFAULTS, _read(DEFAULTS))[default]]
    seen: dict[str, int] = {}
    for position, persona in enumerate(members, 1):
        if persona.name == NONE:
            raise DataError(f"{file}: a persona cannot be called '{NONE}', which names the baseline; rename it")
        if persona.name in seen:
            first = seen[persona.name]
            raise DataError(
                f"{file}: persona '{persona.name}' stands twice (entries {first} and {position}); remove one"
            )
        seen[persona.name] = position
    return Personas(file, members)
