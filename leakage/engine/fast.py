"""The fast engine: what prompts share is read once, and handed on to each prompt and each sample."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from leakage.engine.base import Answered, Completion, Followed, Look, Request, read_completion, refuse_nan
from leakage.engine.batches import Batch, Batches
from leakage.engine.cache import mixes
from leakage.engine.lanes import lanes_of
from leakage.engine.reading import Begun, Prompt, begun
from leakage.engine.room import room
from leakage.engine.rows import Rows, Sample
from leakage.engine.sampling import Sampling, uniforms
from leakage.progress import Progress, count_tokens

log = logging.getLogger(__name__)
Item = TypeVar("Item")


@dataclass(frozen=True)
class FastEngine:
    """Batches of prompts of similar length, which answers leave as they end.

    batch_size: sequences at a time, on a CPU in each lane, fewer where the memory does not hold them; shares: whether a
    beginning that prompts have in common is read once; refills: whether others enter in the places of answers that have
    ended, where the model can be asked so. A GPU takes as long for few rows as for many; a CPU does not, and batches
    side by side would then be others each time. Nothing that was read outlives a call: at the next the model may
    have another adapter.
    """

    model: Any
    tokenizer: Any
    batch_size: int
    stop: frozenset[int] = field(default_factory=frozenset)
    shares: bool = True
    refills: bool = False

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, progress: Progress
    ) -> list[list[Completion]]:
        """See Engine.generate."""
        answers: dict[Sample, Completion] = {}

        def complete(prompts: Begun, batch: Batch[Sample]) -> None:
            for written in self._written(batch, partial(self._begin, prompts, requests, sampling)):
                for sample, tokens in written.items():
                    answers[sample] = read_completion(self.tokenizer, tokens, self.stop)
                count_tokens(sum(map(len, written.values())))
                progress(len(written))

        wanted = [[(i, n) for n in range(len(request.keys))] for i, request in enumerate(requests)]
        more = sampling.max_new_tokens * (2 if self.refills else 1)  # rows enter beside one that is so much further
        self._in_batches([request.tokens for request in requests], wanted, complete, more=more)
        return [[answers[sample] for sample in samples] for samples in wanted]

    def _in_batches(
        self, prompts: Sequence[Prompt], wanted: Sequence[Sequence[Item]],
        work: Callable[[Begun, Batch[Item]], None], *, ends: Sequence[int] = (), more: int = 0, states: bool = False,
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

    def _written(
        self, batch: Batch[Sample], begin: Callable[[Sequence[Sample]], Rows]
    ) -> Iterator[dict[Sample, list[int]]]:
        """New token ids of samples, as soon as they end; a row that has ended leaves, and others of the queue enter."""
        refills, rows = self.refills and mixes(self.model), begin(batch)
        while rows.samples:
            rows.draw()
            if written := rows.leave(self.stop):
                yield written
                batch[:] = rows.samples
            entering = batch.more() if refills else []
            others = begin(entering) if entering else None
            if rows.samples:
                rows.read_on(self.model)
            rows = rows.joined(others) if others else rows

    def _begin(
        self, prompts: Begun, requests: Sequence[Request], sampling: Sampling, samples: Sequence[Sample]
    ) -> Rows:
        """Rows of samples, each prompt of theirs read once."""
        import torch

        keys = [requests[i].keys[n] for i, n in samples]
        noise = torch.from_numpy(uniforms(keys, sampling.max_new_tokens)).to(self.model.device)
        distinct = list(dict.fromkeys(i for i, _ in samples))
        reading = prompts.read(distinct, keeps=True)
        source = torch.tensor([distinct.index(i) for i, _ in samples], device=self.model.device)
        cache = reading.out.past_key_values
        cache.reorder_cache(source)  # of all caches alike: any rows, not only a permutation
        logits = reading.out.logits[:, -1][source]
        return Rows(list(samples), sampling, cache, reading.mask[source], reading.position[source], logits, noise)

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
