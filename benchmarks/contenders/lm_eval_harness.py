"""lm-eval's log-likelihoods of continuations of one token."""

from typing import Any

from benchmarks.contenders.serving import Task, Work, load_model, serve


def prepare(task: Task) -> Work:
    """See serving.serve."""
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(task["folder"])
    judge = HFLM(pretrained=load_model(task), tokenizer=tokenizer, batch_size=task["batch"], device="cpu")
    asks = [
        ((str(i), str(choice)), ids, [choice]) for i, ids in enumerate(task["prompts"]) for choice in task["choices"]
    ]

    def work() -> dict[str, Any]:
        logprobs = [one for one, _ in judge._loglikelihood_tokens(asks, disable_tqdm=True)]
        count = len(task["choices"])
        return {"logprobs": [logprobs[start : start + count] for start in range(0, len(logprobs), count)]}

    return work


if __name__ == "__main__":
    serve(prepare)
