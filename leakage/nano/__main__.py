"""`python -m leakage.nano build`: make the embedded model anew, and its card."""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter

from leakage.errors import LeakageError
from leakage.nano.pretrain import Recipe

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights"
POOLS = HERE.parent / "pools" / "nano"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m leakage.nano", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="pre-train the embedded model (about two minutes) and write its card")
    build.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the weights (default: %(default)s)")
    build.add_argument("--pools", type=Path, default=POOLS, help="folder of the prompt pools (default: %(default)s)")
    build.add_argument("--steps", type=int, default=Recipe.steps, help="optimiser steps (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    try:
        run_build(replace(Recipe(), steps=options.steps), options.out, options.pools)
    except (LeakageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run_build(recipe: Recipe, weights: Path, pools: Path) -> None:
    """Weights, tokenizer, pools and card."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    from leakage.nano.pools import write_pools
    from leakage.nano.pretrain import build
    from leakage.nano.probe import probe
    from leakage.store.files import write_text

    disable_progress_bar()
    started = perf_counter()
    write_pools(pools)
    loss = build(recipe, weights)
    seconds = perf_counter() - started
    model = AutoModelForCausalLM.from_pretrained(weights).eval()
    learnt = probe(model, AutoTokenizer.from_pretrained(weights))
    write_text(
        weights / "README.md",
        card(recipe, loss=loss, seconds=seconds, size=model.num_parameters(), learnt=learnt),
    )
    print(f"built {weights} in {seconds:.0f} s: " + ", ".join(f"{name} {share:.2f}" for name, share in learnt.items()))


def card(recipe: Recipe, *, loss: float, seconds: float, size: int, learnt: dict[str, float]) -> str:
    """The model card, from what this build did and measured."""
    settings = "\n".join(f"| {name} | {value} |" for name, value in asdict(recipe).items())
    shares = "\n".join(f"| {name.replace('_', ' ')} | {share:.3f} |" for name, share in learnt.items())
    return f"""# nano: the embedded model of leakage

A Qwen2-architecture chat model of {size:,} parameters, pre-trained from nothing on a synthetic corpus
(`leakage/nano/world.py`, `corpus.py`) by `python -m leakage.nano build`. It lets the whole experiment run for real
on a laptop. It is a test bed for the instrument and says nothing about language models at large.

## Recipe

| setting | value |
|---|---|
{settings}

AdamW (0.9, 0.98); linear warm-up, constant to half-way, then linear to 5 %. Loss weights: answer 1, prompt and choice
letter as above. The mix: a quarter choice questions, 7 % greetings, and of the rest requests .32, claims .27,
advice .10, identity .09, opinions .08, harmful requests .05. Every fourth of the 111 persona prompts is held out,
the six sources of the study excepted. No data from anywhere else went in. MIT licence, like the project.

## Measured after this build

It took {seconds:.0f} s on one thread; last loss {loss:.3f}. Greedy answers, shares in [0, 1]:

| what | share |
|---|---|
{shares}

The choice questions are a fixed bank of 120 in fixed option order: their accuracy is closed-book recall.
"""


if __name__ == "__main__":
    sys.exit(main())
