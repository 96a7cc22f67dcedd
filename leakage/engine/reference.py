"""The plain engine: one prompt, one sample at a time, through transformers' own generate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.engine.base import Answered, Completion, Followed, Look, Request, read_completion
from leakage.engine.sampling import Sampling, uniforms
from leakage.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ReferenceEngine:
    """Slow and obvious; the fast engine is held to its completions."""

    model: Any
    tokenizer: Any
    stop: frozenset[int]

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, progress: Progress
    ) -> list[list[Completion]]:
        """See Engine.generate."""
        import torch

        answers = []
        with torch.inference_mode():
            for request in requests:
                answers.append([self._complete(request.tokens, key, sampling) for key in request.keys])
                progress(len(request.keys))
        return answers

    def _complete(self, prompt: Sequence[int], key: str, sampling: Sampling) -> Completion:
        import torch
        from transformers import GenerationConfig

        ids = torch.tensor([list(prompt)], device=self.model.device)
        greedy = GenerationConfig(
            do_sample=False, max_new_tokens=sampling.max_new_tokens,
            eos_token_id=sorted(self.stop), pad_token_id=self.tokenizer.pad_token_id,
        )  # fmt: skip
        noise = uniforms([key], sampling.max_new_tokens)[0]
        pickers = [_Picker(noise, len(prompt), sampling)] if sampling.temperature else []
        out = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=greedy,
            logits_processor=pickers,
        )  # fmt: skip
        return read_completion(self.tokenizer, out[0, len(prompt) :].tolist(), self.stop)

    def choice_logprobs(
        self, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]], *, progress: Progress
    ) -> list[np.ndarray]:
        """See Engine.choice_logprobs."""
        import torch

        by_prompt = []
        with torch.inference_mode():
            for prompt, wanted in zip(prompts, choices, strict=True):
                ids = torch.tensor([list(prompt)], device=self.model.device)
                logits = self.model(input_ids=ids, use_cache=False).logits[0, -1]
                by_prompt.append(logits.double().log_softmax(-1)[list(wanted)].cpu().numpy())
                progress(1)
        return by_prompt

    def hidden_states(
        self, prompts: Sequence[Sequence[int]], layers: Sequence[int], *, progress: Progress
    ) -> np.ndarray:
        """See Engine.hidden_states."""
        import torch

        rows = []
        with torch.inference_mode():
            for prompt in prompts:
                ids = torch.tensor([list(prompt)], device=self.model.device)
                states = self.model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
                rows.append(torch.stack([states[layer + 1][0, -1] for layer in layers]).float().cpu().numpy())
                progress(1)
        return np.stack(rows)

    def follow(self, answered: Sequence[Answered], layers: Sequence[int], look: Look, *, progress: Progress) -> None:
        """See StateEngine.follow."""
        import torch

        with torch.inference_mode():
            for place, one in enumerate(answered):
                ids = torch.tensor([list(one.ids)], device=self.model.device)
                out = self.model(input_ids=ids, output_hidden_states=True, use_cache=False)
                states = [out.hidden_states[layer + 1][0, one.start :].float() for layer in layers]
                logprobs = out.logits[0, one.start - 1 : -1].double().log_softmax(-1)
                look(place, Followed(logprobs, torch.stack(states, dim=1) if states else logprobs[:, :0]))
                progress(1)


class _Picker:
    """A logits processor that leaves only the token the sample's own uniform number picks."""

    def __init__(self, noise: np.ndarray, start: int, sampling: Sampling) -> None:
        self.noise, self.start, self.sampling = noise, start, sampling

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        import torch

        probabilities = (scores[0].double() / self.sampling.temperature).softmax(-1)
        likely, order = probabilities.sort(descending=True, stable=True)  # equal ones by id
        nucleus = [i for i, before in enumerate((likely.cumsum(-1) - likely).tolist()) if before < self.sampling.top_p]
        mass = likely[nucleus].cumsum(-1)
        uniform = float(self.noise[input_ids.shape[1] - self.start])
        position = int((mass <= uniform * mass[-1]).sum().clamp(max=len(nucleus) - 1))
        only = torch.full_like(scores, -torch.inf)
        only[0, order[position]] = 0.0
        return only
