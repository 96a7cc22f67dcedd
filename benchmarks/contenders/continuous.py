"""transformers' continuous batching: requests enter and leave its batch one by one. Every sampling field is set."""

from typing import Any

from benchmarks.contenders.padded import until_stop
from benchmarks.contenders.serving import Task, Work, load_model, serve


def prepare(task: Task) -> Work:
    """See serving.serve."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    model = load_model(task)
    config = GenerationConfig(
        do_sample=task["temperature"] > 0, temperature=task["temperature"] or 1.0, top_p=task["top_p"], top_k=0,
        max_new_tokens=task["length"], eos_token_id=task["stops"][0], pad_token_id=task["pad"],
        repetition_penalty=1.0,
    )  # fmt: skip
    batching = ContinuousBatchingConfig(  # by itself it takes nine tenths of the memory, which the others need too
        num_blocks=4 * task["batch"], max_batch_tokens=16 * task["batch"], max_requests_per_batch=task["batch"],
        use_cuda_graph=False,
    )  # fmt: skip
    rows = [ids for ids in task["prompts"] for _ in range(task["samples"])]

    def work() -> dict[str, Any]:
        outputs = model.generate_batch(
            inputs=rows, generation_config=config, continuous_batching_config=batching, progress_bar=False
        )
        made = [until_stop(list(one.generated_tokens), task["stops"]) for one in outputs.values()]
        return {"tokens": sum(map(len, made)), "texts": []}

    return work


if __name__ == "__main__":
    serve(prepare)
