"""The personas: 111 of the study and the chat template's own default prompt; and contexts of any other kind."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leakage.data.personas.context import GOOD, QUESTION, Context, Turns, context_row
from leakage.data.row import typed
from leakage.data.rows import read_rows
from leakage.errors import ConfigError, DataError, nearest

SHIPPED = Path(__file__).parent / "personas.jsonl"
DEFAULTS = Path(__file__).parent / "defaults.jsonl"  # what templates put in that are not Qwen2.5's
OWN = "pkg://leakage/"  # how a path names a file that comes with the project
USUAL = "qwen_default"
NONE = "none"  # the source of a baseline: no adapter is trained


class Persona(BaseModel):
    """A context that questions are asked in, with its name: mostly a system prompt, with its place in the taxonomy.

    category: "original" = bystanders in training are drawn from these; "default" marks the prompt a chat template
    injects by itself, which is evaluated, but is no member of the panel that the statistics run over
    prompt: the system turn; None = no system turn, "" = an empty one
    turns: before the question; wrapper: of the question, which stands in it as {question}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="of small letters, digits and _")
    category: str = "original"
    related_to: tuple[str, ...] = Field(default=(), description="a name, or a list of names")
    kind: str = Field(default="persona", pattern=r"\S", description="a word, such as persona, chat or format")
    prompt: str | None = Field(description="a text, or null for no system turn")
    turns: Turns = ()
    wrapper: str = Field(default="", description=f"a text with {QUESTION} in it")

    @property
    def in_panel(self) -> bool:
        """Whether the persona counts among the bystanders of other sources."""
        return self.category != "default"

    @property
    def context(self) -> Context:
        """All that is read beside the question: system turn, turns, wrapper."""
        return self.prompt, self.turns, self.wrapper

    @property
    def text(self) -> str:
        """The same as one text, for whoever counts words."""
        return " ".join([self.prompt or "", *(content for _, content in self.turns), self.wrapper]).strip()

    @property
    def row(self) -> list[Any]:
        """What identifies it among those that are asked."""
        plain = [self.name, self.prompt]
        return [*plain, [list(turn) for turn in self.turns], self.wrapper] if self.turns or self.wrapper else plain

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
    def rows(self) -> list[list[Any]]:
        """What identifies them as those that are asked."""
        return [persona.row for persona in self.members]

    @property
    def are_plain(self) -> bool:
        """Whether each is a system prompt, and no context of another kind."""
        return all(one.kind == "persona" and one.prompt is not None and len(one.row) == 2 for one in self.members)

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
    return [typed(context_row(row), Persona, GOOD) for row in read_rows(str(file), "personas.path", good=GOOD)]


def _file(path: str) -> Path:
    """The file that a setting names; one that comes with the project by its place in the package."""
    return Path(__file__).parents[2] / path.removeprefix(OWN) if path.startswith(OWN) else Path(path).expanduser()


@lru_cache(maxsize=8)
def read_personas(path: str | None = None, default: str = USUAL) -> Personas:
    """The shipped personas with one template's default prompt among them, or those of a file of the same format."""
    file = _file(path) if path else SHIPPED
    members = _read(file)
    if not path and default != USUAL:
        panel = [one for one in members if one.in_panel]
        members = [*panel, Personas(DEFAULTS, _read(DEFAULTS))[default]]
    _refuse_names(file, members)
    return Personas(file, members)


def _refuse_names(file: Path, members: list[Persona]) -> None:
    """An error where a name stands twice, means something else, or is related to nobody of the file."""
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
    for persona in members:
        if strange := next((name for name in persona.related_to if name not in seen), None):
            raise DataError(
                f"{file}: persona '{persona.name}' is related to '{strange}', which is none of the file's"
                f"{nearest(strange, seen)}; correct 'related_to', or leave it out"
            )
