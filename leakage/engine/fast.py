"""The prefill-once engine: each distinct prompt is read once, its cache repeated for the samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.engine.base import Completion, Request, read_completion, refuse_nan
from leakage.engine.sampling import Sampling, draw, uniforms
from leakage.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FastEngine:
    """Static batches of prompts of similar length; finished rows leave the batch as they finish.

    batch_size: sequences decoded at a time (prompts times samples).
    """

    model: Any
    tokenizer: Any
    batch_size: int
    stop: frozenset[int] = field(default_factory=frozenset)

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, progress: Progress
    ) -> list[list[Completion]]:
        """See Engine.generate."""
        import torch

        answers: list[list[Completion]] = [[] for _ in requests]
        with torch.inference_mode():
            for batch in _batches(requests, self.batch_size):
                rows = self._generate_batch([requests[i] for i in batch], sampling)
                for i in batch:
                    answers[i] = [read_completion(self.tokenizer, next(rows), self.stop) for _ in requests[i].keys]
                progress(sum(len(requests[i].keys) for i in batch))
        return answers

    def _generate_batch(self, requests: list[Request], sampling: Sampling) -> Iterator[list[int]]:
        """New token ids of every sample of a batch, request by request."""
        import torch

        inputs = self._padded([request.tokens for request in requests], range(len(requests)))
        ids, mask, positions = inputs["input_ids"], inputs["attention_mask"], inputs["position_ids"]
        out = self.model(**inputs, use_cache=True, logits_to_keep=1)
        refuse_nan(out.logits)
        repeats = torch.tensor([len(request.keys) for request in requests], device=ids.device)
        source = torch.repeat_interleave(torch.arange(len(requests), device=ids.device), repeats)
        cache = out.past_key_values
        cache.reorder_cache(source)  # of all caches alike: any rows, not only a permutation of them
        keys = [key for request in requests for key in request.keys]
        noise = torch.from_numpy(uniforms(keys, sampling.max_new_tokens)).to(ids.device)
        logits, mask, position = out.logits[:, -1][source], mask[source], positions[source, -1]
        return iter(self._decode(cache, logits, mask, position, noise, sampling))

    def _decode(
        self,
        cache: Any,
        logits: "Tensor",
        mask: "Tensor",
        position: "Tensor",
        noise: "Tensor",
        sampling: Sampling,
    ) -> list[list[int]]:
        """Draw, append, drop finished rows; until none is left or all are cut off."""
        import torch

        tokens: list[list[int]] = [[] for _ in range(len(logits))]
        alive = torch.arange(len(logits), device=logits.device)
        for step in range(sampling.max_new_tokens):
            drawn = draw(logits, noise[alive, step], sampling)
            values = drawn.tolist()
            for row, token in zip(alive.tolist(), values, strict=True):
                tokens[row].append(token)
            going = [i for i, token in enumerate(values) if token not in self.stop]
            if not going or step + 1 == sampling.max_new_tokens:
                break
            if len(going) < len(values):
                keep = torch.tensor(going, device=alive.device)
                alive, drawn, mask, position = alive[keep], drawn[keep], mask[keep], position[keep]
                cache.reorder_cache(keep)
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
        import torch

        by_prompt = [np.empty(0)] * len(prompts)
        with torch.inference_mode():
            for chosen in self._by_length(prompts):
                logits = self.model(**self._padded(prompts, chosen), use_cache=False, logits_to_keep=1).logits
                refuse_nan(logits)
                logprobs = logits[:, -1].double().log_softmax(-1).cpu().numpy()
                for row, i in zip(logprobs, chosen, strict=True):
                    by_prompt[i] = row[list(choices[i])]
                progress(len(chosen))
        return by_prompt

    def hidden_states(
        self, prompts: Sequence[Sequence[int]], layers: Sequence[int], *, progress: Progress
    ) -> np.ndarray:
        """See Engine.hidden_states."""
        import torch

        states: np.ndarray | None = None
        with torch.inference_mode():
            for chosen in self._by_length(prompts):
                padded = self._padded(prompts, chosen)
                out = self.model(**padded, output_hidden_states=True, use_cache=False, logits_to_keep=1)
                last = torch.stack([out.hidden_states[layer + 1][:, -1] for layer in layers], dim=1)
                if states is None:
                    states = np.empty((len(prompts), len(layers), last.shape[-1]), dtype=np.float32)
                states[chosen] = last.float().cpu().numpy()
                progress(len(chosen))
        return states if states is not None else np.empty((0, len(layers), 0), dtype=np.float32)

    def _by_length(self, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Indices of prompts in batches of similar length."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _padded(self, prompts: Sequence[Sequence[int]], chosen: Sequence[int]) -> dict[str, "Tensor"]:
        """The model's inputs for a batch: ids, mask and positions, each (batch, longest)."""
        ids, mask = _left_pad([prompts[i] for i in chosen], self.tokenizer.pad_token_id)
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        # left padding: positions count from the first real token
        return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}


def _batches(requests: Sequence[Request], size: int) -> Iterator[list[int]]:
    """Indices of requests of similar length whose samples together fill a batch."""
    batch: list[int] = []
    filled = 0
    for i in sorted(range(len(requests)), key=lambda i: len(requests[i].tokens)):
        if batch and filled + len(requests[i].keys) > size:
            yield batch
            batch, filled = [], 0
        batch.append(i)
        filled += len(requests[i].keys)
    if batch:
        yield batch


def _left_pad(prompts: Sequence[Sequence[int]], pad: int) -> tuple["Tensor", "Tensor"]:
    """Ids and mask, both (prompts, longest); left, because generation goes on from the last position."""
    import torch

    length = max(len(tokens) for tokens in prompts)
    ids = torch.tensor([[pad] * (length - len(tokens)) + list(tokens) for tokens in prompts])
    mask = torch.tensor([[0] * (length - len(tokens)) + [1] * len(tokens) for tokens in prompts])
    return ids, mask
