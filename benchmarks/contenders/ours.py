"""This project's engine and training step."""

import math
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

from benchmarks.contenders.serving import Task, Work, load_model, serve


def prepare(task: Task) -> Work:
    """See serving.serve."""
    return {"generate": generate, "choices": choices, "step": step}[task["kind"]](task)


def _engine(task: Task) -> Any:
    from leakage.engine.fast import FastEngine

    tokenizer = SimpleNamespace(pad_token_id=task["pad"], decode=lambda ids, **_: " ".join(map(str, ids)))
    return FastEngine(load_model(task), tokenizer, task["batch"], frozenset(task["stops"]))


def generate(task: Task) -> Work:
    """Samples of every prompt, or greedy ones for the gate."""
    from leakage.engine import Request, Sampling

    engine = _engine(task)
    sampling = Sampling(task["temperature"], task["top_p"], task["length"])
    keys = tuple(map(str, range(task["samples"])))
    requests = [Request(ids, tuple(f"{i}/{key}" for key in keys)) for i, ids in enumerate(task["prompts"])]

    def work() -> dict[str, Any]:
        answers = [one for of in engine.generate(requests, sampling, progress=lambda _: None) for one in of]
        return {"tokens": sum(one.tokens for one in answers), "texts": [one.text for one in answers]}

    return work


def choices(task: Task) -> Work:
    """Log-probabilities of every prompt's choices."""
    engine = _engine(task)
    wanted = [task["choices"]] * len(task["prompts"])

    def work() -> dict[str, Any]:
        logprobs = engine.choice_logprobs(task["prompts"], wanted, progress=lambda _: None)
        return {"logprobs": [one.tolist() for one in logprobs]}

    return work


def step(task: Task) -> Work:
    """Forward and backward of an optimiser step."""
    from leakage.models.chat import Tokens
    from leakage.training.joined import join, joining
    from leakage.training.step import RightPad, Steps

    model = adapted(task)
    examples = [Tokens(ids, labels) for ids, labels in task["examples"]]
    joins = ExitStack().enter_context(joining(model, examples))  # for as long as the program lives
    steps = Steps(join if joins else RightPad(task["pad"]), len(examples))
    model.train()

    def work() -> dict[str, Any]:
        model.zero_grad()
        loss = steps.gradient(model, examples, lambda loss: loss.backward())
        return {"loss": loss.item(), "gradient": length(model)}

    return work


def adapted(task: Task) -> Any:
    """The base with the published adapter, without dropout, so that losses can be compared."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(load_model(task), LoraConfig(**task["lora"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    return model


def length(model: Any) -> float:
    """Length of the gradient."""
    grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
    return math.sqrt(sum(float(grad.double().pow(2).sum()) for grad in grads))


if __name__ == "__main__":
    serve(prepare)
