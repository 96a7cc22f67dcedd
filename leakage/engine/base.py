"""What the rest of the project asks of an engine."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from leakage.engine.sampling import Sampling
from leakage.errors import ModelError
from leakage.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Request:
    """A distinct prompt and the key of each sample wanted of it."""

    tokens: Sequence[int]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Completion:
    """A sampled answer; `finish` is "stop" at an end-of-turn token, "length" when it was cut off."""

    text: str
    tokens: int
    finish: str


@dataclass(frozen=True)
class Answered:
    """A prompt with an answer behind it. ids: of both, in one row; start: where the answer begins"""

    ids: Sequence[int]
    start: int

    @property
    def tokens(self) -> int:
        """Of the answer."""
        return len(self.ids) - self.start


@dataclass(frozen=True)
class Followed:
    """What the model makes of each token of an answer it is given.

    logprobs: (tokens, vocabulary) float64, natural logarithm, before the token is read; states: (tokens, layers,
    d_model) float32, after it is
    """

    logprobs: "Tensor"
    states: "Tensor"


Look = Callable[[int, Followed], None]


def read_completion(tokenizer: Any, tokens: list[int], stop: Collection[int]) -> Completion:
    """The text of sampled tokens, without the token that ended the turn."""
    finished = bool(tokens) and tokens[-1] in stop
    text = tokenizer.decode(tokens[:-1] if finished else tokens, skip_special_tokens=True)
    return Completion(text=text, tokens=len(tokens), finish="stop" if finished else "length")


def refuse_nan(logits: "Tensor") -> None:
    """A model whose logits are not numbers answers all the same, with nonsense."""
    if bool(logits.isnan().any()):
        raise ModelError(
            "the model's logits are not numbers: its weights are damaged, the training of its adapter diverged (lower "
            "train.learning_rate), or it cannot be used in its dtype (set model.inference_dtype to another one, such "
            "as float32)"
        )


class Engine(Protocol):
    """A model with its tokenizer, ready to answer; `fast` and `reference` give the same completions, vLLM its own."""

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, progress: Progress
    ) -> list[list[Completion]]:
        """Completions of each request, one a key, in the order given; `progress` is told how many are done."""
        ...

    def choice_logprobs(
        self, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]], *, progress: Progress
    ) -> list[np.ndarray]:
        """For each prompt the log-probabilities, over the whole vocabulary, of its choices as the next token.

        choices: token ids, (n_choices,) a prompt; returns arrays of the same lengths, float64, natural logarithm.
        """
        ...


class StateEngine(Engine, Protocol):
    """One that sees into the model too."""

    def hidden_states(
        self, prompts: Sequence[Sequence[int]], layers: Sequence[int], *, progress: Progress
    ) -> np.ndarray:
        """(len(prompts), len(layers), d_model) float32: the last token's state after each block (0-based).

        As transformers counts them: the last block's output is taken after the final norm.
        """
        ...

    def follow(self, answered: Sequence[Answered], layers: Sequence[int], look: Look, *, progress: Progress) -> None:
        """Read answers that are given, and hand each with its place to `look`, in any order; after memory ran out, some
        of them once more.

        layers: blocks (0-based) whose states are wanted, as in hidden_states
        """
        ...
