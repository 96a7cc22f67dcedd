"""What predictors look at: a base model and a training set, each part made when the first of them asks for it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.engine import Answered, Followed, Request, Sampling, StateEngine, build_engine
from leakage.models.chat import IGNORED, Prompt
from leakage.models.fingerprint import measured_layers
from leakage.models.held import Loaded
from leakage.models.load import for_training
from leakage.progress import progress
from leakage.studies.persona_leakage.behaviors.contrastive import Example
from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.margins import mean_logprobs
from leakage.studies.persona_leakage.states import base_states

if TYPE_CHECKING:
    from leakage.data.personas import Persona
    from leakage.progress import Progress

ITEMS = 4  # of the training set, whose answers are asked for under every persona
QUESTIONS = 2  # of the geometry, which the base model answers under every persona
ANSWER_TOKENS = 48  # of such an answer, at most


@dataclass(frozen=True)
class Item:
    """A training prompt with the answer the source learns and its opposite, "" where there is none."""

    user: str
    taught: str
    opposite: str


@dataclass(frozen=True)
class Along:
    """What the base model makes of the source's own answers under every persona.

    divergence: (personas,) Jensen-Shannon, nats a token; points: (personas, layers, d_model) mean state of the answers
    """

    divergence: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class Probe:
    """A cell before it is trained: its personas, its training set and its base model.

    examples: the training set, with the answers that a model gave where the settings ask for these
    """

    cell: CellIdentity
    loaded: Loaded
    examples: Sequence[Example]

    @property
    def personas(self) -> "tuple[Persona, ...]":
        """Everyone who is evaluated, in the order of all columns."""
        return self.cell.data.personas.members

    @property
    def source(self) -> int:
        """The place of the persona that is taught."""
        return self.personas.index(self.cell.data.source)

    @property
    def layers(self) -> tuple[int, ...]:
        """The blocks (0-based) whose states are looked at."""
        return measured_layers(self.cell.config.model)

    @cached_property
    def items(self) -> list[Item]:
        """The first prompts of the training set, each once; the same for all personas."""
        opposites = {one.prompt: one.answer for one in self.cell.data.training_items}
        opposites |= {one.prompt.user: one.answer for one in self.examples if one.role != "source"}
        taught = {one.prompt.user: one.answer for one in self.examples if one.role == "source"}
        return [Item(user, answer, opposites.get(user, "")) for user, answer in list(taught.items())[:ITEMS]]

    @cached_property
    def base(self) -> Any:
        """The base model as training has it, and leaves it to be."""
        return for_training(self.loaded.base, self.cell.config.model)

    @cached_property
    def engine(self) -> StateEngine:
        """Around the base model."""
        return build_engine(self.base, self.loaded.template, self.cell.config.eval)

    @cached_property
    def states(self) -> np.ndarray:
        """Last-token states of every persona and question: (personas, questions, layers, d_model) float32."""
        questions = self.cell.data.questions
        prompts = [under(one, item.prompt) for one in self.personas for item in questions]
        tokens = self.loaded.template.prompts(prompts)
        with self.counted(len(tokens), "states of the base model", "prompt") as advance:
            states = base_states(self.engine, self.loaded, tokens, self.layers, advance)
        return states.reshape(len(self.personas), len(questions), *states.shape[1:])

    @cached_property
    def answers(self) -> list[list[str]]:
        """What the base model answers to a few questions, without chance: (personas, QUESTIONS) texts."""
        asked = self.loaded.template.prompts(self._questions)
        requests = [Request(tokens, ("",)) for tokens in asked]
        greedy = Sampling(temperature=0, top_p=1, max_new_tokens=ANSWER_TOKENS)
        with self.counted(len(requests), "the base model's own answers", "answer") as advance:
            texts = [one.text for (one,) in self.engine.generate(requests, greedy, progress=advance)]
        many = len(texts) // len(self.personas)
        return [texts[start : start + many] for start in range(0, len(texts), many)]

    @property
    def _questions(self) -> list[Prompt]:
        chosen = self.cell.data.questions[:QUESTIONS]
        return [under(one, item.prompt) for one in self.personas for item in chosen]

    def answered(self, pairs: Sequence[tuple[Prompt, str]]) -> list[Answered]:
        """Prompts with answers behind them, up to the token that ends the turn."""
        tokens = self.loaded.template.examples(pairs)
        return [Answered(one.input_ids, one.labels.count(IGNORED)) for one in tokens]

    def mean_logprobs(self, pairs: Sequence[tuple[Prompt, str]]) -> np.ndarray:
        """See margins.mean_logprobs."""
        with self.counted(len(pairs), "how likely answers are", "answer") as advance:
            return mean_logprobs(self.engine, self.loaded.template, pairs, advance)

    def counted(self, total: int, what: str, unit: str) -> "AbstractContextManager[Progress]":
        """How far a part of it is, under the cell's name."""
        return progress(total, f"{self.cell.data.label}: {what}", unit)

    @cached_property
    def along(self) -> Along:
        """The source's own answers, read under every persona."""
        texts = self.answers[self.source]
        places = [(person, number) for person in range(len(self.personas)) for number in range(len(texts))]
        asked = self._questions
        pairs = [(asked[place], texts[number]) for place, (_, number) in enumerate(places)]
        own = {number: pair for pair, (person, number) in zip(pairs, places, strict=True) if person == self.source}
        theirs: dict[int, Any] = {}
        divergence = np.zeros((len(self.personas), len(texts)))
        points: dict[int, np.ndarray] = {}

        def look(place: int, followed: Followed) -> None:
            person, number = places[place]
            divergence[person, number] = jensen_shannon(followed.logprobs, theirs[number])
            points[place] = followed.states.mean(dim=0).cpu().numpy()

        with self.counted(len(texts) + len(pairs), "the source's answers under everyone", "answer") as advance:
            self.engine.follow(
                self.answered([own[number] for number in range(len(texts))]), (),
                lambda number, followed: theirs.__setitem__(number, followed.logprobs), progress=advance,
            )  # fmt: skip
            self.engine.follow(self.answered(pairs), self.layers, look, progress=advance)
        states = np.stack([points[place] for place in range(len(places))])
        means = states.reshape(len(self.personas), len(texts), *states.shape[1:]).mean(axis=1, dtype=np.float64)
        return Along(divergence.mean(axis=1), means.astype(np.float32))


def jensen_shannon(one: Any, other: Any) -> float:
    """Mean over tokens, in nats, of two rows of log-probabilities (tokens, vocabulary); over the shorter of them."""
    import torch

    many = min(len(one), len(other))
    left, right = one[:many], other[:many]
    middle = torch.logaddexp(left, right) - torch.log(left.new_tensor(2.0))
    apart = (left.exp() * (left - middle) + right.exp() * (right - middle)).sum(dim=-1) / 2
    return float(apart.mean().clamp(min=0))
