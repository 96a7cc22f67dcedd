"""vLLM in this process: requests enter and leave its batch one by one, adapters by name, beginnings shared.

Its numbers are its own: its kernels add up in another order, and a sample's seed starts vLLM's generator, not ours.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from leakage.engine.base import Completion, Request, read_completion
from leakage.engine.sampling import Sampling
from leakage.models.adapter import rank as rank_of
from leakage.models.devices import pick_device
from leakage.models.fingerprint import locate
from leakage.progress import Progress, count_tokens

if TYPE_CHECKING:
    from leakage.models.chat import ChatTemplate
    from leakage.settings.config import Config

Answer = TypeVar("Answer")
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of adapters, that vLLM has room for
GPU_SHARE = 0.5  # of its memory; the rest is for trainings in the same process
CPU = {"VLLM_CPU_OMP_THREADS_BIND": "all", "VLLM_CPU_KVCACHE_SPACE": "2"}  # every core it may use; GiB
_numbers: dict[str, int] = {}  # of adapters, for this process: its prefix cache tells them apart by these alone


@dataclass(frozen=True)
class VllmEngine:
    """vLLM around one base model, with one of the adapters it was handed or none."""

    llm: Any
    adapter: Any
    tokenizer: Any
    stop: frozenset[int]

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, progress: Progress
    ) -> list[list[Completion]]:
        """See Engine.generate."""
        from vllm import SamplingParams

        samples = [(request.tokens, key) for request in requests for key in request.keys]
        asks = [
            SamplingParams(
                temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=sampling.max_new_tokens,
                seed=seed_of(key), stop_token_ids=sorted(self.stop), ignore_eos=True, detokenize=False,
            )
            for _, key in samples
        ]  # fmt: skip

        def read(answer: Any) -> Completion:
            count_tokens(len(answer.token_ids))
            return read_completion(self.tokenizer, list(answer.token_ids), self.stop)

        answers = iter(self._answers([tokens for tokens, _ in samples], asks, read, progress))
        return [[next(answers) for _ in request.keys] for request in requests]

    def choice_logprobs(
        self, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]], *, progress: Progress
    ) -> list[np.ndarray]:
        """See Engine.choice_logprobs."""
        from vllm import SamplingParams

        asks = [
            SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=sorted(set(ids)), detokenize=False)
            for ids in choices
        ]
        likely = self._answers(prompts, asks, lambda answer: answer.logprobs[0], progress)
        return [
            np.array([of[token].logprob for token in ids], np.float64) for of, ids in zip(likely, choices, strict=True)
        ]

    def _answers(
        self, prompts: Sequence[Sequence[int]], asks: Sequence[Any], read: Callable[[Any], Answer], progress: Progress
    ) -> list[Answer]:
        """What is read of each prompt's answer, in their order. asks: how each is asked, vLLM's SamplingParams"""
        engine, answers = self.llm.llm_engine, {}
        for i, (tokens, asked) in enumerate(zip(prompts, asks, strict=True)):
            engine.add_request(str(i), {"prompt_token_ids": list(tokens)}, asked, lora_request=self.adapter)
        while engine.has_unfinished_requests():
            for ended in (one for one in engine.step() if one.finished):
                answers[int(ended.request_id)] = read(ended.outputs[0])
                progress(1)
        return [answers[i] for i in range(len(prompts))]


def seed_of(key: str) -> int:
    """The seed of a sample, a function of its key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7])


def vllm_engine(config: "Config", template: "ChatTemplate", adapter: Path | None) -> VllmEngine:
    """vLLM around a job's base model. The process keeps it: the next job on the same model finds it running."""
    from vllm.lora.request import LoRARequest

    model, needed = config.model, max(config.lora.r, rank_of(adapter) if adapter else 0)
    rank = next((one for one in RANKS if one >= needed), needed)
    llm = _running(
        locate(model.path), model.revision, model.inference_dtype, rank, config.eval.batch_size,
        pick_device(config.device),
    )  # fmt: skip
    named = None
    if adapter:
        content = f"{adapter} {(adapter / 'adapter_model.safetensors').stat().st_mtime_ns}"
        named = LoRARequest(content, _numbers.setdefault(content, len(_numbers) + 1), str(adapter))
    return VllmEngine(llm, named, template.tokenizer, template.stops)


@lru_cache(maxsize=1)
def _running(path: str, revision: str | None, dtype: str, rank: int, sequences: int, device: str) -> Any:
    """A running vLLM. All that it would take from the model's generation config or from its own habits is set."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # in this process: nothing is left behind when it is killed
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # it warns of what is meant
    if device == "cpu":
        os.environ.update({name: os.environ.get(name, value) for name, value in CPU.items()})
    where: dict[str, Any] = {"enforce_eager": True} if device == "cpu" else {"gpu_memory_utilization": GPU_SHARE}
    from vllm import LLM

    return LLM(
        model=path, revision=revision, dtype=dtype, enable_lora=True, max_lora_rank=rank, max_num_seqs=sequences,
        enable_prefix_caching=True, generation_config="vllm", skip_tokenizer_init=True, seed=0,
        disable_log_stats=True, trust_remote_code=False, use_tqdm_on_load=False, **where,
    )  # fmt: skip
