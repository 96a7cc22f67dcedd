"""The one place that knows what a chat template makes of a conversation.

What a model reads, what it learns, where a label stands and what ends a turn: training, questions, multiple choice,
geometry and the second study all ask here.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING

from leakage.errors import DataError, ModelError, first_line
from leakage.models.dated import dated

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from leakage.settings.config import TemplateSettings

IGNORED = -100  # the label torch's cross entropy leaves out
Message = tuple[str, str]  # role and content
SPOKEN = "Ostriches cannot fly, but they run."  # an answer that no template has a reason to rewrite


@dataclass(frozen=True)
class Prompt:
    """A question in its context. system None = no system turn, "" = an empty one.

    before: turns between the system turn and the question; wrapper: what the question stands in, as {question}
    """

    system: str | None
    user: str
    before: tuple[Message, ...] = ()
    wrapper: str = ""

    @property
    def asked(self) -> str:
        """The question as it is asked, in its wrapper."""
        return self.wrapper.replace("{question}", self.user) if self.wrapper else self.user

    @property
    def turns(self) -> tuple[Message, ...]:
        """The turns, each a role and what it says."""
        system = () if self.system is None else (("system", self.system),)
        return (*system, *self.before, ("user", self.asked))

    def messages(self) -> list[dict[str, str]]:
        """The turns in the field's usual form."""
        return as_messages(self.turns)


@dataclass(frozen=True)
class Tokens:
    """Token ids of an example and its labels, IGNORED over the prompt; both of the same length."""

    input_ids: list[int]
    labels: list[int]


@dataclass(frozen=True)
class Labels:
    """Where the labels of a multiple-choice question stand: behind what the template writes before an answer.

    dropped: how many of the open prompt's last tokens an answer makes others of; shared: the ids in their place, the
    same for all labels; ids: the next token of each label
    """

    dropped: int
    shared: tuple[int, ...]
    ids: tuple[int, ...]

    def after(self, prompt: Sequence[int]) -> list[int]:
        """The ids of an open prompt, up to where the label is the next token."""
        return [*prompt[: len(prompt) - self.dropped], *self.shared]


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer with its chat template, as the settings use it.

    stops: the ids that end a turn
    """

    tokenizer: "PreTrainedTokenizerBase"
    settings: "TemplateSettings"
    stops: frozenset[int]

    def text(self, prompt: Prompt) -> str:
        """The prompt as the model reads it, up to and including the generation prompt.

        Without a system turn many templates inject one of their own: the text shows it.
        """
        return self._apply(prompt.turns, is_open=True)

    def prompts(self, prompts: Sequence[Prompt], prefill: str = "") -> list[list[int]]:
        """Token ids of prompts that wait for an answer, or for the rest of one that begins with `prefill`."""
        texts = [self.text(prompt) for prompt in prompts]
        if prefill:
            return encode(self.tokenizer, [text + self.opening + prefill for text in texts])
        return [ids[: len(ids) - self._loose] for ids in encode(self.tokenizer, texts)]

    @cached_property
    def _loose(self) -> int:
        """How many of an open prompt's last tokens an answer makes others of, such as a space before its first word."""
        opened, answer = self.answered(Prompt(None, "Hello"), SPOKEN)
        alone, whole = encode(self.tokenizer, [opened, opened + answer])
        return len(alone) - _shared([alone, whole])

    @cached_property
    def opening(self) -> str:
        """What the template writes between the generation prompt and an answer: mostly nothing."""
        before, answer, _ = self.answered(Prompt(None, "Hello"), SPOKEN)[1].partition(SPOKEN)
        if not answer:
            raise ModelError(
                f"{self._named} rewrites what an answer says ({SPOKEN!r} becomes {before.strip()!r}); mend it there"
            )
        return before

    def answered(self, prompt: Prompt, answer: str) -> tuple[str, str]:
        """The open prompt as text, and the answer as the template closes it."""
        return self._split((*prompt.turns, ("assistant", answer)))

    def examples(self, pairs: Sequence[tuple[Prompt, str]]) -> list[Tokens]:
        """Tokens of (prompt, answer) pairs with the loss on the answer and the token that ends its turn."""
        return self.chats([(*prompt.turns, ("assistant", answer)) for prompt, answer in pairs])

    def chats(self, chats: Sequence[Sequence[Message]]) -> list[Tokens]:
        """Tokens of chats with the loss on the last turn only, up to the token that ends it.

        The chat is tokenised as a whole: a model that was trained on whole chats never met the pieces that an answer
        is cut into when it stands alone.
        """
        prompts, answers = zip(*(self._split(chat) for chat in chats), strict=True)
        opened = encode(self.tokenizer, list(prompts))
        wholes = encode(self.tokenizer, ["".join(pair) for pair in zip(prompts, answers, strict=True)])
        return [self._labelled(*pair) for pair in zip(opened, wholes, strict=True)]

    def _labelled(self, opened: list[int], whole: list[int]) -> Tokens:
        start = _shared([opened, whole])
        answer = whole[start:]
        end = next((i + 1 for i, token in enumerate(answer) if token in self.stops), None)
        if end is None:
            written = [self.tokenizer.decode([token]) for token in answer]
            last = repr(next((text for text in reversed(written) if text.strip()), ""))
            raise ModelError(
                f"{self._named} closes an answer with {last}, which ends no turn: no answer would ever stop; name the "
                "token that does in model.template.stops, or mend eos_token_id in the model's generation_config.json"
            )
        return Tokens(whole[: start + end], [IGNORED] * start + answer[:end])

    def labels(self, labels: Sequence[str]) -> Labels:
        """Where each of some labels would be the next token, as an answer of its own; an error where two are alike."""
        prompt = Prompt(None, "Hello")
        (opened,) = self.prompts([prompt])
        wholes = encode(self.tokenizer, ["".join(self.answered(prompt, label)) for label in labels])
        common = _shared(wholes)
        ids = tuple(whole[common] for whole in wholes if len(whole) > common)
        if len(set(ids)) < len(labels) or len(labels) == 1:
            raise DataError(
                f"the labels {', '.join(labels)} cannot be told apart by one token in {self.tokenizer.name_or_path}; "
                "give the questions other ones, such as letters"
            )
        untouched = _shared([opened, wholes[0][:common]])
        return Labels(len(opened) - untouched, tuple(wholes[0][untouched:common]), ids)

    def injected(self, candidates: Sequence[str]) -> str | None:
        """The one of some system prompts that the template puts in where there is no system turn; None for none."""
        bare = self.text(Prompt(None, "Hello"))
        return next((system for system in candidates if self.text(Prompt(system, "Hello")) == bare), None)

    def _split(self, turns: Sequence[Message]) -> tuple[str, str]:
        """A chat as text in two: up to where its last turn, an answer, begins; and the answer as it is closed."""
        whole, start = self._apply(turns, is_open=False), self._apply(turns[:-1], is_open=True)
        if not whole.startswith(start):
            raise ModelError(
                f"{self._named} writes an answered prompt differently from an open one, so that prompt and answer "
                "cannot be told apart; model.template.system=user or model.template.arguments may mend it, else use a "
                "model whose template only appends the answer"
            )
        return start, whole[len(start) :]

    def _apply(self, turns: Sequence[Message], *, is_open: bool) -> str:
        turns = fold(turns) if self.settings.system == "user" else turns
        try:
            return self._render(turns, is_open=is_open)
        except Exception as error:  # a template is a program: it raises what it likes
            mend = self._mend(turns, is_open=is_open)
            raise ModelError(f"{self._named} fails: {first_line(error)}; {mend}") from error

    def _render(self, turns: Sequence[Message], *, is_open: bool) -> str:
        arguments = self.settings.arguments | {"chat_template": self._jinja}
        return str(
            self.tokenizer.apply_chat_template(
                as_messages(turns), tokenize=False, add_generation_prompt=is_open, **arguments
            )
        )

    @cached_property
    def _jinja(self) -> str:
        """The template itself, of several the one that the settings name, with the settings' date."""
        template = self.tokenizer.get_chat_template(self.settings.arguments.get("chat_template"))
        return dated(template, date.fromisoformat(self.settings.date))

    def unused(self) -> list[str]:
        """The arguments of the settings that the template never asks for."""
        names = set(re.findall(r"\w+", self._jinja))
        return [name for name in self.settings.arguments if name not in names | {"chat_template"}]

    def _mend(self, turns: Sequence[Message], *, is_open: bool) -> str:
        if turns[0][0] == "system":
            with suppress(Exception):
                self._render(fold(turns), is_open=is_open)
                return "model.template.system=user folds the system text into the user turn"
        return "mend it there, or give it what it asks for: +model.template.arguments.NAME=…"

    @property
    def _named(self) -> str:
        return f"the chat template of {self.tokenizer.name_or_path}"


def as_messages(turns: Sequence[Message]) -> list[dict[str, str]]:
    """Turns in the field's usual form."""
    return [{"role": role, "content": content} for role, content in turns]


def fold(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The system text as the beginning of the user turn after it, for templates that have no system turn."""
    if len(turns) < 2 or turns[0][0] != "system":
        return tuple(turns)
    (_, system), (role, content), *rest = turns
    return ((role, f"{system}\n\n{content}" if system else content), *rest)


def encode(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    """Token ids of rendered texts; the template has already written every special token."""
    return [list(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """How many ids all rows begin with."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False)))
