"""vLLM in a process, with its prefix cache."""

import os
from typing import Any

from benchmarks.contenders.serving import Task, Work, serve


def prepare(task: Task) -> Work:
    """See serving.serve."""
    os.environ |= {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": "all",
    }  # fmt: skip
    from vllm import LLM, SamplingParams

    llm = LLM(
        model=task["folder"], dtype=task["dtype"], max_num_seqs=task["batch"], max_model_len=1024, enforce_eager=True,
        enable_prefix_caching=True, generation_config="vllm", use_tqdm_on_load=False, disable_log_stats=True,
    )  # fmt: skip
    sampling = SamplingParams(
        n=task["samples"], temperature=task["temperature"], top_p=task["top_p"], max_tokens=task["length"],
        stop_token_ids=task["stops"], seed=0, detokenize=False,
    )  # fmt: skip
    prompts = [{"prompt_token_ids": ids} for ids in task["prompts"]]

    def work() -> dict[str, Any]:
        outputs = [one for of in llm.generate(prompts, sampling, use_tqdm=False) for one in of.outputs]
        return {"tokens": sum(len(one.token_ids) for one in outputs), "texts": []}

    return work


if __name__ == "__main__":
    serve(prepare)
