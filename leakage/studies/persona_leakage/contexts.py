"""Questions in the contexts of a persona file, and the contexts that other people's chats are in."""

import re
from collections.abc import Iterable, Sequence

from leakage.data.chats import Chat
from leakage.data.personas import Persona
from leakage.data.personas.context import BARE, QUESTION, Context
from leakage.models.chat import Prompt


def under(persona: Persona, question: str) -> Prompt:
    """A question in a persona's context."""
    return Prompt(persona.prompt, question, persona.turns, persona.wrapper)


def context_of(prompt: Prompt) -> Context:
    """What a prompt's question is asked in, as a persona has it."""
    return prompt.system, prompt.before, prompt.wrapper


def probes(personas: Iterable[Persona], question: str) -> tuple[Prompt, ...]:
    """One question in every context, once."""
    return tuple(dict.fromkeys(under(one, question) for one in personas))


def is_bare(persona: Persona, default: Persona | None) -> bool:
    """Whether a question alone reads like the persona: it has no system turn, or the one that templates put in."""
    return persona.context == BARE or (default is not None and default.context == persona.context)


def in_context(chat: Chat, personas: Sequence[Persona]) -> tuple[Persona, Prompt] | None:
    """The persona whose context a chat is in, the fullest of several, and its question in there; None for nobody's."""
    for persona in sorted(personas, key=lambda one: (-len(one.turns), not one.wrapper)):
        before, (_, asked) = chat.turns[:-1], chat.turns[-1]
        if chat.system == persona.prompt and before == persona.turns:
            question = _unwrapped(asked, persona.wrapper)
            if question is not None:
                return persona, under(persona, question)
    return None


def _unwrapped(asked: str, wrapper: str) -> str | None:
    """The question in a wrapper; None where it is in another one, or in none."""
    if not wrapper:
        return asked
    before, _, after = (re.escape(part) for part in wrapper.partition(QUESTION))
    fits = re.fullmatch(f"{before}(.*){after}", asked, flags=re.DOTALL)
    return fits[1] if fits else None
