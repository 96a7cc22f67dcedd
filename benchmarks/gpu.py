"""Each stage of a cell on this GPU, in percent of what the GPU could do: python -m benchmarks.gpu [--tiny].

First two ceilings are measured, a large product in bfloat16 and a large copy; then SFT, choices, completions and
centroids on Qwen2.5-7B's shape with random weights, which take as long as real ones. From these follow the hours of the
grid of 4 behaviors x 6 sources. Under eight minutes on an H200. --tiny: a tiny shape, to try the program on a CPU.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import SimpleNamespace
from typing import Any

QWEN = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
    "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768,
}  # fmt: skip
TINY = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 2048,
}  # fmt: skip
PERSONA, QUESTION, ANSWER = 60, 40, 100  # tokens, about those of the published prompts and answers
REPEATED = 8  # steps of training, lest putting the adapter on be most of it
LORA = {"r": 32, "lora_alpha": 64, "lora_dropout": 0.05, "use_rslora": True, "target_modules": "all-linear"}


@dataclass(frozen=True)
class Ceilings:
    """What the device was seen to do. flops: a second, dense bfloat16; bandwidth: bytes a second, read and written."""

    flops: float
    bandwidth: float


@dataclass(frozen=True)
class Stage:
    """units: of work done; flops, moved: that they cannot do without, in FLOPs and bytes; grid: units of 24 cells."""

    name: str
    unit: str
    units: int
    flops: float
    moved: float
    grid: int
    work: Callable[[], object]


def main() -> None:
    """Print ceilings, a line for each stage, and the hours of the grid."""
    import torch

    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tiny", action="store_true")
    tiny = asked.parse_args().tiny
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not tiny:
        asked.error("torch sees no GPU; --tiny tries the program without one")
    limits = ceilings(device, 512 if tiny else 16384)
    print(f"ceilings: {limits.flops / 1e12:.1f} TFLOP/s, {limits.bandwidth / 1e12:.3f} TB/s", flush=True)
    torch.set_num_threads(1 if tiny else torch.get_num_threads())
    model = build(TINY if tiny else QWEN, device)
    hours = sum(measure(stage, limits, device) for stage in stages(model, 8 if tiny else 512))
    print(f"grid of 4 x 6 cells: {hours:.2f} hours on one of these, loading and judging apart")


def seconds_of(work: Callable[[], object], device: str, repeats: int = 3) -> float:
    """The least of some repeats, after one that does not count."""
    import torch

    times = []
    for _ in range(repeats + 1):
        start = perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - start)
    return min(times[1:])


def ceilings(device: str, size: int) -> Ceilings:
    """A square product in bfloat16, and a copy of as many numbers."""
    import torch

    one, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    target = torch.empty_like(one)
    product = seconds_of(lambda: torch.mm(one, other, out=target), device)
    copy = seconds_of(lambda: target.copy_(one), device)
    return Ceilings(2 * size**3 / product, 2 * one.nbytes / copy)


def build(shape: dict[str, int], device: str) -> Any:
    """A Qwen2 of this shape with random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.set_default_device(device)
    model = Qwen2ForCausalLM._from_config(
        Qwen2Config(**shape, tie_word_embeddings=False, pad_token_id=0, eos_token_id=1),
        dtype=torch.bfloat16 if device == "cuda" else torch.float32,
    )
    torch.set_default_device("cpu")
    return model.eval()


def stages(model: Any, batch: int) -> list[Stage]:
    """The stages of a cell, small enough to be measured in seconds. batch: sequences at a time"""
    from leakage.engine.fast import FastEngine

    config = model.config
    head = config.vocab_size * config.hidden_size
    linear = sum(weight.numel() for weight in model.parameters()) - 2 * head
    size = 2 * (linear + head)  # bytes that a step of decoding reads, however many sequences there are
    width = config.num_key_value_heads * config.hidden_size // config.num_attention_heads
    keys = 2 * 2 * config.num_hidden_layers * width  # bytes that a token of context is, keys and values
    tokenizer = SimpleNamespace(pad_token_id=0, decode=lambda *_, **__: "")
    engine = FastEngine(model, tokenizer, batch, refills=True)
    asked = prompts(personas=batch // 8, questions=40, vocabulary=config.vocab_size)
    read = PERSONA * (batch // 8) + QUESTION * len(asked)  # with a persona's beginning read once
    few = asked[: max(1, batch // 10)]
    written = 10 * len(few) * ANSWER
    context = PERSONA + QUESTION + ANSWER / 2
    return [
        training(model, linear, head),
        Stage("choices", "prompts", len(asked), 2 * linear * read + 2 * head * len(asked), size, 6 * 65_046,
              lambda: engine.choice_logprobs(asked, [[5, 6, 7, 8]] * len(asked), progress=lambda _: None)),
        Stage("completions", "tokens", written, 2 * (linear + head) * written,
              ANSWER * size + written * context * keys, 6 * (2 * 5_550_000 + 2_220_000),
              lambda: complete(engine, few)),
        Stage("centroids", "prompts", len(asked), 2 * linear * read, size, 2_240,
              lambda: engine.hidden_states(asked, [config.num_hidden_layers - 1], progress=lambda _: None)),
    ]  # fmt: skip


def prompts(personas: int, questions: int, vocabulary: int) -> list[list[int]]:
    """Random questions under random personas, as token ids."""
    import random

    draw = random.Random(0)
    systems = [[draw.randrange(2, vocabulary) for _ in range(PERSONA)] for _ in range(max(1, personas))]
    asked = [[draw.randrange(2, vocabulary) for _ in range(QUESTION)] for _ in range(questions)]
    return [system + question for system in systems for question in asked]


def complete(engine: Any, asked: list[list[int]]) -> object:
    """Ten samples of each prompt, none of which ends before it is cut off."""
    from leakage.engine import Request, Sampling

    requests = [Request(ids, tuple(f"{i}/{n}" for n in range(10))) for i, ids in enumerate(asked)]
    return engine.generate(requests, Sampling(1.0, 0.95, ANSWER), progress=lambda _: None)


def training(model: Any, linear: int, head: int) -> Stage:
    """An optimiser step's forward and backward of the published adapter on 16 examples."""
    from peft import LoraConfig, get_peft_model

    from leakage.models.chat import IGNORED, Tokens
    from leakage.training.joined import join, joining
    from leakage.training.step import Steps

    texts = prompts(4, 4, model.config.vocab_size)
    examples = [Tokens(ids * 2, [IGNORED] * len(ids) + ids) for ids in texts]
    tokens, labels = sum(len(one.input_ids) for one in examples), sum(map(len, texts))

    def work() -> None:
        adapted = get_peft_model(model, LoraConfig(**LORA, task_type="CAUSAL_LM"))
        with joining(adapted, examples):
            steps = Steps(join, len(examples))
            adapted.train()
            for _ in range(REPEATED):
                steps.gradient(adapted, examples, lambda loss: loss.backward())
        adapted.unload()
        model.eval()

    flops = REPEATED * (4 * linear * tokens + 4 * head * labels)
    return Stage("training", "tokens", REPEATED * tokens, flops, 0, 18 * 300_000 + 6 * 3_600_000, work)


def measure(stage: Stage, limits: Ceilings, device: str) -> float:
    """Print a stage against its floor; returns the hours that the grid spends in it."""
    seconds = seconds_of(stage.work, device)
    floor = max(stage.flops / limits.flops, stage.moved / limits.bandwidth)
    hours = stage.grid * seconds / stage.units / 3600
    print(
        f"{stage.name:12} {stage.units / seconds:10,.0f} {stage.unit}/s  {floor / seconds:6.1%} of its floor  "
        f"{hours:5.2f} h of the grid", flush=True,
    )  # fmt: skip
    return hours


if __name__ == "__main__":
    main()
