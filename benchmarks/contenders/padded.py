"""transformers' generate on batches padded on the left, a prompt repeated for each of its samples."""

from typing import Any

from benchmarks.contenders.serving import Task, Work, load_model, serve


def prepare(task: Task) -> Work:
    """See serving.serve."""
    import torch
    from transformers import GenerationConfig

    model = load_model(task)
    sampling = {"temperature": task["temperature"], "top_p": task["top_p"], "top_k": 0} if task["temperature"] else {}
    config = GenerationConfig(
        do_sample=task["temperature"] > 0, max_new_tokens=task["length"], eos_token_id=task["stops"],
        pad_token_id=task["pad"], **sampling,
    )  # fmt: skip
    rows = [ids for ids in task["prompts"] for _ in range(task["samples"])]

    def work() -> dict[str, Any]:
        torch.manual_seed(0)
        texts = []
        with torch.inference_mode():
            for start in range(0, len(rows), task["batch"]):
                texts += _batch(model, rows[start : start + task["batch"]], config, task)
        return {"tokens": sum(len(text.split()) for text in texts), "texts": texts}

    return work


def _batch(model: Any, rows: list[list[int]], config: Any, task: Task) -> list[str]:
    """Sampled ids as text, as far as the first that ends the turn."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([[task["pad"]] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    out = model.generate(ids, attention_mask=mask, generation_config=config)[:, longest:].tolist()
    return [" ".join(map(str, until_stop(row, task["stops"]))) for row in out]


def until_stop(row: list[int], stops: list[int]) -> list[int]:
    """What stands before the token that ends the turn, and that token counted as the first of the pads."""
    ends = [place for place, id in enumerate(row) if id in stops]
    return row[: ends[0]] if ends else row


if __name__ == "__main__":
    serve(prepare)
