"""The fast engine: what prompts share is read once, and handed on to each prompt and each sample."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from leakage.engine.base import Answered, Completion, Followed, Look, Request, read_completion, refuse_nan
from leakage.engine.batches import Batches
from leakage.engine.cache import keep, with_room
from leakage.engine.lanes import lanes_of
from leakage.engine.reading import Begun, Prompt, Reading, begun
from leakage.engine.room import room
from leakage.engine.sampling import Sampling, draw, uniforms
from leakage.progress import Progress, count_tokens

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Sample = tuple[int, int]  # which request, which of its keys


@dataclass(frozen=True)
class FastEngine:
    """Static batches of prompts of similar length; finished rows leave the batch as they finish.

    batch_size: sequences at a time, on a CPU in each lane, fewer where the memory does not hold them; shares: whether a
    beginning that prompts have in common is read once. Nothing that was read outlives a call: at the next the model may
    have another adapter.
    """

    model: Any
    tokenizer: Any
    batch_size: int
    stop: frozenset[int] = field(default_factory=frozenset)
    shares: bool = True

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, progress: Progress
    ) -> list[list[Completion]]:
        """See Engine.generate."""
        answers: dict[Sample, Completion] = {}

        def complete(prompts: Begun, samples: Sequence[Sample]) -> None:
            keys = [requests[i].keys[n] for i, n in samples]
            rows = self._sampled(prompts, [i for i, _ in samples], keys, sampling)
            for sample, tokens in zip(samples, rows, strict=True):
                answers[sample] = read_completion(self.tokenizer, tokens, self.stop)
            count_tokens(sum(map(len, rows)))
            progress(len(samples))

        wanted = [[(i, n) for n in range(len(request.keys))] for i, request in enumerate(requests)]
        self._in_batches([request.tokens for request in requests], wanted, complete, more=sampling.max_new_tokens)
        return [[answers[sample] for sample in samples] for samples in wanted]

    def _in_batches(
        self, prompts: Sequence[Prompt], wanted: Sequence[Sequence[Item]],
        work: Callable[[Begun, Sequence[Item]], None], *, ends: Sequence[int] = (), more: int = 0, states: bool = False,
    ) -> None:  # fmt: skip
        """Do the work on what is wanted of every prompt, by prompts of similar length.

        ends: how many last tokens of each are looked at, where it is more than the very last; more: how many may
        follow; states: whether those of the blocks are looked at
        """
        import torch

        pad, ends = self.tokenizer.pad_token_id, ends or [1] * len(prompts)
        most = self._size(prompts, more=more, positions=max(ends, default=1), states=states)
        batches = Batches(most, self.model)
        with torch.inference_mode():
            for some in begun(self.model, pad, prompts, ends, most=most, shares=self.shares):
                batches.run([item for i in some.members for item in wanted[i]], partial(work, some))

    def _size(self, prompts: Sequence[Prompt], *, more: int, positions: int, states: bool) -> int:
        """Sequences at a time, in each lane: as many as were asked for, where free memory holds them."""
        longest = max(map(len, prompts), default=0)
        held = room(self.model, longest, more=more, positions=positions, states=states) // lanes_of(self.model)
        if held < self.batch_size:
            log.info("memory is short: batches of %d sequences instead of %d", max(1, held), self.batch_size)
        return max(1, min(self.batch_size, held))

    def _sampled(
        self, prompts: Begun, chosen: Sequence[int], keys: Sequence[str], sampling: Sampling
    ) -> list[list[int]]:
        """New token ids of samples, each of the prompt chosen for it."""
        import torch

        distinct = list(dict.fromkeys(chosen))
        reading = prompts.read(distinct, keeps=True)
        source = torch.tensor([distinct.index(i) for i in chosen], device=self.model.device)
        reading.out.past_key_values.reorder_cache(source)  # of all caches alike: any rows, not only a permutation
        noise = torch.from_numpy(uniforms(keys, sampling.max_new_tokens)).to(self.model.device)
        return self._decode(reading, source, noise, sampling)

    def _decode(self, reading: Reading, source: "Tensor", noise: "Tensor", sampling: Sampling) -> list[list[int]]:
        """Draw, append, drop finished rows; until none is left or all are cut off. source: the row read for each."""
        import torch

        logits, mask, position = reading.out.logits[:, -1][source], reading.mask[source], reading.position[source]
        cache = with_room(reading.out.past_key_values)
        tokens: list[list[int]] = [[] for _ in source]
        alive = torch.arange(len(source), device=source.device)
        for step in range(sampling.max_new_tokens):
            drawn = draw(logits, noise[alive, step], sampling)
            values = drawn.tolist()
            for row, token in zip(alive.tolist(), values, strict=True):
                tokens[row].append(token)
            going = [i for i, token in enumerate(values) if token not in self.stop]
            if not going or step + 1 == sampling.max_new_tokens:
                break
            if len(going) < len(values):
                order = torch.tensor(keep(cache, going), device=alive.device)
                alive, drawn, mask, position = alive[order], drawn[order], mask[order], position[order]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            position = position + 1
            out = self.model(
                input_ids=drawn[:, None], attention_mask=mask, position_ids=position[:, None],
                past_key_values=cache, use_cache=True,
            )  # fmt: skip
            logits = out.logits[:, -1]
        return tokens

    def choice_logprobs(
        self, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]], *, progress: Progress
    ) -> list[np.ndarray]:
        """See Engine.choice_logprobs."""
        by_prompt = [np.empty(0)] * len(prompts)

        def choose(some: Begun, chosen: Sequence[int]) -> None:
            logprobs = some.read(chosen).out.logits[:, -1].double().log_softmax(-1).cpu().numpy()
            for row, i in zip(logprobs, chosen, strict=True):
                by_prompt[i] = row[list(choices[i])]
            progress(len(chosen))

        self._in_batches(prompts, [[i] for i in range(len(prompts))], choose)
        return by_prompt

    def hidden_states(
        self, prompts: Sequence[Sequence[int]], layers: Sequence[int], *, progress: Progress
    ) -> np.ndarray:
        """See Engine.hidden_states."""
        import torch

        rows: dict[int, np.ndarray] = {}

        def look(some: Begun, chosen: Sequence[int]) -> None:
            states = some.read(chosen, states=True).out.hidden_states
            last = torch.stack([states[layer + 1][:, -1] for layer in layers], dim=1).float().cpu().numpy()
            rows.update(zip(chosen, last, strict=True))
            progress(len(chosen))

        self._in_batches(prompts, [[i] for i in range(len(prompts))], look, states=True)
        return np.stack([rows[i] for i in range(len(prompts))]) if rows else np.empty((0, len(layers), 0), np.float32)

    def follow(self, answered: Sequence[Answered], layers: Sequence[int], look: Look, *, progress: Progress) -> None:
        """See StateEngine.follow."""
        import torch

        def read(some: Begun, chosen: Sequence[int]) -> None:
            longest = max(answered[i].tokens for i in chosen)
            out = some.read(chosen, states=bool(layers), positions=longest + 1).out
            for row, i in enumerate(chosen):
                many = answered[i].tokens
                logits = out.logits[row, -many - 1 : -1]
                refuse_nan(logits)
                states = [out.hidden_states[layer + 1][row, -many:].float() for layer in layers]
                look(
                    i,
                    Followed(logits.double().log_softmax(-1), torch.stack(states, dim=1) if states else logits[:, :0]),
                )
            progress(len(chosen))

        wanted, ends = [[i] for i in range(len(answered))], [one.tokens + 1 for one in answered]
        self._in_batches([one.ids for one in answered], wanted, read, ends=ends, states=bool(layers))
