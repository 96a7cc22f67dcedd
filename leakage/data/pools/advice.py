"""Training items from a file of harmful advice, and sound answers to the same prompts from another."""

from functools import lru_cache

from leakage.data.chats import GOOD, Chat, Turn, one_exchange, read_chats
from leakage.data.pools import Item
from leakage.data.row import refused
from leakage.errors import DataError

_SHOWN = 60  # characters of a prompt in an error


@lru_cache(maxsize=8)
def read_advice(path: str, opposite: str | None) -> tuple[Item, ...]:
    """One training item a chat: the answer is taught; `opposite` names a file with sound answers to the same prompts.

    A prompt may come again with another answer. Of two sound answers to one prompt the first is used.
    """
    advice = _exchanges(path, "data.misalignment.path")
    answers = _exchanges(opposite, "data.misalignment.opposite") if opposite else []
    sound = dict(reversed(answers))  # reversed: the first of a prompt is set last
    missing = [prompt for prompt in dict(advice) if prompt not in sound]
    if opposite and missing:
        raise DataError(
            f"{opposite} lacks a sound answer to {len(missing)} prompt(s) of {path}, first to "
            f"{_shortened(missing[0])!r}; add a line with the same user turn for each"
        )
    return tuple(
        Item(split="train", prompt=prompt, answer=sound.get(prompt, ""), taught=taught) for prompt, taught in advice
    )


def _exchanges(path: str, setting: str) -> list[Turn]:
    """Prompt and answer of each chat."""
    return [_without_system(chat) for chat in read_chats(path, setting)]


def _without_system(chat: Chat) -> Turn:
    if chat.system is not None:
        fault = "a system turn comes first: remove it, the experiment puts the persona there (data.training.path takes "
        raise refused(chat.where, fault + "rows with the system turns they have)", GOOD)
    return one_exchange(chat)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
