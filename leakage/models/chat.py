"""The one place where a chat template turns messages into text, tokens and a label mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leakage.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # the label torch's cross entropy leaves out
Message = tuple[str, str]  # role and content


@dataclass(frozen=True)
class Prompt:
    """A user turn under a system prompt; system None = no system turn, "" = an empty one."""

    system: str | None
    user: str

    def messages(self) -> list[dict[str, str]]:
        """The turns in the field's usual form."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": self.user}]


@dataclass(frozen=True)
class Tokens:
    """Token ids of an example and its labels, IGNORED over the prompt; both of the same length."""

    input_ids: list[int]
    labels: list[int]


def render(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt) -> str:
    """The prompt as the model reads it, up to and including the generation prompt.

    Without a system turn many templates inject one of their own: the text shows it.
    """
    return _apply(tokenizer, prompt.messages(), add_generation_prompt=True)


def render_text(_tokenizer: "PreTrainedTokenizerBase | None", prompt: Prompt) -> str:
    """The prompt as plain text for a base model, which has no template: it continues the assistant's part."""
    system = f"{prompt.system}\n\n" if prompt.system else ""
    return f"{system}User: {prompt.user}\n\nAssistant: "


def injected_default(tokenizer: "PreTrainedTokenizerBase", candidates: Sequence[str]) -> str | None:
    """The one of some system prompts that the template puts in where there is no system turn; None for none of them."""
    bare = render(tokenizer, Prompt(None, "Hello"))
    return next((system for system in candidates if render(tokenizer, Prompt(system, "Hello")) == bare), None)


def _apply(tokenizer: "PreTrainedTokenizerBase", turns: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt))
    except TemplateError as error:
        raise ModelError(f"the chat template of {tokenizer.name_or_path} fails: {error}; mend it there") from error


def render_completion(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, answer: str) -> str:
    """The answer as the template closes it: its text and the end-of-turn token."""
    return _split_turns(tokenizer, [*prompt.messages(), {"role": "assistant", "content": answer}])[1]


def _split_turns(tokenizer: "PreTrainedTokenizerBase", turns: list[dict[str, str]]) -> tuple[str, str]:
    """A chat as text in two: up to where its last turn, an answer, begins; and the answer as the template closes it."""
    whole = _apply(tokenizer, turns, add_generation_prompt=False)
    start = _apply(tokenizer, turns[:-1], add_generation_prompt=True)
    if not whole.startswith(start):
        raise ModelError(
            "the chat template writes an answered prompt differently from an open one, so that prompt and "
            "completion cannot be told apart; use a model whose template only appends the answer"
        )
    return start, whole[len(start) :].rstrip("\n")


def encode(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    """Token ids of rendered texts; the template has already written every special token."""
    return [list(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def encode_examples(tokenizer: "PreTrainedTokenizerBase", pairs: list[tuple[Prompt, str]]) -> list[Tokens]:
    """Tokens of (prompt, answer) pairs with the loss on the completion only."""
    turns = [[*((one["role"], one["content"]) for one in prompt.messages()), ("assistant", answer)]
             for prompt, answer in pairs]  # fmt: skip
    return encode_turns(tokenizer, turns)


def encode_turns(tokenizer: "PreTrainedTokenizerBase", chats: Sequence[Sequence[Message]]) -> list[Tokens]:
    """Tokens of chats with the loss on the last turn only.

    What comes before it and the turn itself are tokenised apart, as at generation, so no token straddles the border.
    """
    texts = [_split_turns(tokenizer, [{"role": role, "content": text} for role, text in chat]) for chat in chats]
    prompts, answers = (encode(tokenizer, list(part)) for part in zip(*texts, strict=True))
    return [Tokens(start + end, [IGNORED] * len(start) + end) for start, end in zip(prompts, answers, strict=True)]
