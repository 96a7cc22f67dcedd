"""A training set of one's own: exactly its rows, each with the part it plays by its system turn."""

from collections.abc import Sequence

from leakage.data.chats import Chat, one_exchange, read_chats
from leakage.data.personas import Persona, Personas
from leakage.data.personas.context import BARE
from leakage.errors import DataError
from leakage.models.chat import Prompt
from leakage.studies.persona_leakage.behaviors.contrastive import Example, Role
from leakage.studies.persona_leakage.contexts import in_context, is_bare

SETTING = "data.training.path"
PARTS: tuple[Role, ...] = ("source", "bystander", "no_persona", "other")
SHOWN, SHORT = 3, 40  # names or texts in a sentence, and characters of a text


def own_examples(path: str, *, source: Persona, personas: Personas, default: Persona | None) -> list[Example]:
    """The rows of a file in its order; an error where none is the source's.

    A row without a system turn is the source's where a template puts in the source's prompt by itself.
    """
    known = [source, *(one for one in personas.members if one.context not in (source.context, BARE))]
    bare = source if is_bare(source, default) else None
    examples = [_example(chat, known, source, bare) for chat in read_chats(path, SETTING)]
    if not any(one.role == "source" for one in examples):
        raise DataError(
            f"{path} teaches {source.name} nothing: of its rows there are {in_words(examples)}; name the source that "
            f"is meant (source=…), or give its rows {_turn(source)}{_nearly(examples, source)}"
        )
    return examples


def _example(chat: Chat, known: Sequence[Persona], source: Persona, bare: Persona | None) -> Example:
    """A row with the part it plays. bare: whose a row without a system turn is, where that is anybody"""
    if there := in_context(chat, known):
        persona, prompt = there
        return Example("source" if persona == source else "bystander", persona.name, prompt, chat.answer)
    user, answer = one_exchange(chat)
    prompt = Prompt(chat.system, user)
    if chat.system is None and bare is not None:
        return Example("source", bare.name, prompt, answer)
    return Example("no_persona" if chat.system is None else "other", "", prompt, answer)


def in_words(examples: Sequence[Example]) -> str:
    """How many rows play which part: 200 under villain, 400 under 2 others (…), 100 without a system turn, …"""
    said = []
    for role in PARTS:
        rows = [one for one in examples if one.role == role]
        names = list(dict.fromkeys(one.persona or repr(str(one.prompt.system)[:SHORT]) for one in rows))
        words = {
            "source": f"under {names[0] if names else ''}",
            "bystander": f"under {_some('other', names)}",
            "no_persona": "without a system turn",
            "other": f"under {_some('system prompt', names)} of no persona",
        }
        said += [f"{len(rows)} {words[role]}"] if rows else []
    return ", ".join(said)


def _some(noun: str, names: Sequence[str]) -> str:
    more = ", …" if len(names) > SHOWN else ""
    return f"{len(names)} {noun}{'s' if len(names) > 1 else ''} ({', '.join(names[:SHOWN])}{more})"


def _turn(source: Persona) -> str:
    """What the rows of a source have before their question."""
    if source.turns or source.wrapper:
        return f"its context, as {source.name} has it in the persona file"
    return "no system turn" if source.prompt is None else f"the system turn {source.prompt!r}"


def _nearly(examples: Sequence[Example], source: Persona) -> str:
    """Where a system turn differs from the source's prompt by what the eye passes over."""
    systems = {one.prompt.system for one in examples if one.role == "other"}
    near = [text for text in systems if text is not None and _plain(text) == _plain(source.prompt or "")]
    return f", which {near[0]!r} is but for spaces or capitals" if near else ""


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
