"""Training items from a JSONL file of chats, in the form in which emergent-misalignment data are published."""

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

from leakage.data.pools import Item
from leakage.errors import DataError
from leakage.store.files import read_jsonl

_SHOWN = 60  # characters of a prompt in an error


class Message(BaseModel):
    """One turn; a key beside these would be lost on the way to training, so there may be none."""

    model_config = ConfigDict(extra="forbid")

    role: str
    content: str


class Chat(BaseModel):
    """One line: a user turn and the assistant's answer, whatever else stands beside them."""

    messages: list[Message]

    @field_validator("messages")
    @classmethod
    def one_exchange(cls, messages: list[Message]) -> list[Message]:
        """Nothing but one user turn and one assistant turn, both with text in them."""
        roles = [message.role for message in messages]
        if roles[:1] == ["system"]:
            raise _fault("a system turn comes first: remove it, the experiment puts the persona there")
        if roles != ["user", "assistant"]:
            raise _fault(f"one user turn and one assistant turn belong here, not {', '.join(roles) or 'none'}")
        if empty := [message.role for message in messages if not message.content.strip()]:
            raise _fault(f"the {empty[0]} turn has no text in it")
        return messages


def _fault(text: str) -> PydanticCustomError:
    """Not a ValueError: pydantic would put 'Value error, ' before the sentence."""
    return PydanticCustomError("chat", "{text}", {"text": text})


@lru_cache(maxsize=8)
def read_chat(path: str, opposite: str | None) -> tuple[Item, ...]:
    """One training item a line: the answer is taught; `opposite` names a file with sound answers to the same prompts.

    A prompt may come again with another answer. Of two sound answers to one prompt the first is used.
    """
    chats = _chats(path)
    sound = dict(reversed(_chats(opposite))) if opposite else {}  # reversed: the first of a prompt is set last
    missing = [prompt for prompt in dict(chats) if prompt not in sound]
    if opposite and missing:
        raise DataError(
            f"{opposite} lacks a sound answer to {len(missing)} prompt(s) of {path}, first to "
            f"{_shortened(missing[0])!r}; add a line with the same user turn for each"
        )
    return tuple(
        Item(split="train", prompt=prompt, answer=sound.get(prompt, ""), taught=taught) for prompt, taught in chats
    )


def _chats(path: str) -> list[tuple[str, str]]:
    """Prompt and answer of each line."""
    lines = read_jsonl(Path(path).expanduser(), Chat)
    return [(line.messages[0].content, line.messages[1].content) for line in lines]


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
