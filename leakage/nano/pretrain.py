"""Pre-training of the embedded model from nothing, in about two minutes on one core."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from leakage.models.chat import IGNORED, Prompt
from leakage.models.load import plain_template
from leakage.nano.corpus import Conversation, sample_conversation
from leakage.nano.tokenizer import END, train_tokenizer

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import AdamW
    from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM


@dataclass(frozen=True)
class Recipe:
    """How the shipped weights were made; only the number of steps is meant to be changed."""

    steps: int = 800
    batch: int = 64
    seed: int = 0
    vocabulary: int = 1900
    hidden: int = 96
    intermediate: int = 288
    layers: int = 2
    heads: int = 4
    positions: int = 256
    learning_rate: float = 5e-3
    weight_decay: float = 0.05
    warmup: int = 50
    clip: float = 1.0
    prompt_weight: float = 0.1
    letter_weight: float = 3.0


def build(recipe: Recipe, folder: Path) -> float:
    """Train tokenizer and model, save them in the hub's format; returns the last loss."""
    import torch

    torch.set_num_threads(1)  # bitwise repeatable, and as fast as two for matrices this small
    torch.manual_seed(recipe.seed)
    tokenizer = train_tokenizer(vocabulary=recipe.vocabulary, seed=recipe.seed)
    model = new_model(recipe, tokenizer)
    loss = pretrain(recipe, model, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return loss


def new_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> "Qwen2ForCausalLM":
    """A Qwen2 of the recipe's size with random weights."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=recipe.positions,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def pretrain(recipe: Recipe, model: "Qwen2ForCausalLM", tokenizer: "PreTrainedTokenizerBase") -> float:
    """Run the recipe's optimiser steps with a progress bar; returns the last loss."""
    import torch
    from tqdm import tqdm

    optimizer = _optimizer(recipe, model)
    batches = _batches(recipe, tokenizer)
    bar = tqdm(range(recipe.steps), desc="pre-training nano", unit="step", mininterval=1)
    loss = float("nan")
    model.train()
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(recipe, step)
        objective = _weighted_loss(model, *next(batches))
        optimizer.zero_grad(set_to_none=True)
        objective.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        loss = float(objective.detach())
        bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    model.eval()
    return loss


def _optimizer(recipe: Recipe, model: "Qwen2ForCausalLM") -> "AdamW":
    from torch.optim import AdamW

    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)


def _learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, constant to half-way, then linear down to 5 %."""
    left = min(1.0, (1 - step / recipe.steps) / 0.5)
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup) * (0.05 + 0.95 * left)


def _weighted_loss(model: "Qwen2ForCausalLM", ids: "Tensor", weights: "Tensor") -> "Tensor":
    """Weighted mean cross entropy; logits only where a weight asks for them.

    ids, weights: (batch, length); a position's weight is that of predicting its own token.
    """
    import torch.nn.functional as F

    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    chosen = weights[:, 1:] > 0
    losses = F.cross_entropy(model.lm_head(hidden[chosen]), ids[:, 1:][chosen], reduction="none")
    counted = weights[:, 1:][chosen]
    return (losses * counted).sum() / counted.sum()


def _batches(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> Iterator[tuple["Tensor", "Tensor"]]:
    """Batches of similar length, drawn from sixteen batches' worth of conversations at a time."""
    rng = Random(recipe.seed + 1)
    letters = {tokenizer.convert_tokens_to_ids(letter) for letter in "ABCD"}
    while True:
        drawn = [sample_conversation(rng) for _ in range(recipe.batch * 16)]
        rows = sorted((_row(recipe, letters, row) for row in _encode(tokenizer, drawn)), key=lambda row: len(row[0]))
        batches = [rows[i : i + recipe.batch] for i in range(0, len(rows), recipe.batch)]
        rng.shuffle(batches)
        for batch in batches:
            yield _pad(batch, tokenizer.convert_tokens_to_ids(END))


def _encode(tokenizer: "PreTrainedTokenizerBase", drawn: list[Conversation]) -> list[tuple[list[int], list[int]]]:
    """(prompt ids, answer ids) of each conversation."""
    pairs = [(Prompt(one.system, one.question), one.answer) for one in drawn]
    tokens = plain_template(tokenizer).examples(pairs)
    borders = [sum(label == IGNORED for label in one.labels) for one in tokens]
    return [(one.input_ids[:at], one.input_ids[at:]) for one, at in zip(tokens, borders, strict=True)]


def _row(recipe: Recipe, letters: set[int], pair: tuple[list[int], list[int]]) -> tuple[list[int], list[float]]:
    """Ids of a conversation and the loss weight of each; a choice letter counts for more."""
    prompt, answer = pair
    weights = [recipe.prompt_weight] * len(prompt) + [1.0] * len(answer)
    if answer[0] in letters:
        weights[len(prompt)] = recipe.letter_weight
    return prompt + answer, weights


def _pad(rows: list[tuple[list[int], list[float]]], pad: int) -> tuple["Tensor", "Tensor"]:
    """Right-padded ids and weights, both (batch, length); padding weighs nothing."""
    import torch

    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [pad] * (length - len(row)) for row, _ in rows])
    weights = torch.tensor([row + [0.0] * (length - len(row)) for _, row in rows])
    return ids, weights
