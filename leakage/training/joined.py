"""Examples of a training step in one row, without padding, each as if it were alone.

Linear layers, nearly all of the work, then read no padding; attention is within each example.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leakage.models.chat import IGNORED, Tokens

if TYPE_CHECKING:
    from torch import Tensor

NAME = "within_examples"  # as transformers knows this attention
# what else a layer may say of itself
UNDERSTOOD = {"position_ids", "use_cache", "cache_position", "output_router_logits", "sliding_window"}
LARGE_FROM = 2**24  # weights; a smaller model reads its padding sooner than one example after another
ALIKE = {"float32": 1e-3, "float64": 1e-3}  # mean difference of logits, of their spread: rounding makes far less
ALIKE_ROUNDED = 0.03  # in 16 bits; an example that sees another one is off by more than that


def join(examples: Sequence[Tokens]) -> dict[str, Any]:
    """A layout of (1, all tokens). Positions begin anew with each example."""
    import torch

    return {
        "input_ids": torch.tensor([[id for one in examples for id in one.input_ids]]),
        "labels": torch.tensor([[label for one in examples for label in (IGNORED, *one.labels[1:])]]),
        "position_ids": torch.tensor([[place for one in examples for place in range(len(one.input_ids))]]),
        "lengths": [len(one.input_ids) for one in examples],
    }


@contextmanager
def joining(model: Any, examples: Sequence[Tokens]) -> Iterator[bool]:
    """Whether joined examples can be given to the model in this block: tried, since not every architecture can."""
    base = model.get_base_model()
    usual = base.config._attn_implementation
    by_length = sorted(examples, key=lambda one: len(one.input_ids))
    able = is_large(model) and usual == "sdpa" and _try(model.eval(), (by_length[0], by_length[-1]))
    if able:
        base.set_attn_implementation(NAME)
    yield able
    base.set_attn_implementation(usual)


def is_large(model: Any) -> bool:
    """Whether what saves work on a large model is worth its own cost."""
    return bool(sum(weight.numel() for weight in model.parameters()) >= LARGE_FROM)


@contextmanager
def asked_alone(model: Any) -> Iterator[None]:
    """Within a block of `joining`, the model as it reads prompts that are not joined."""
    base = model.get_base_model()
    usual = base.config._attn_implementation
    if usual == NAME:
        base.set_attn_implementation("sdpa")
    yield
    if usual == NAME:
        base.set_attn_implementation(NAME)


def _try(model: Any, examples: Sequence[Tokens]) -> bool:
    """Whether the model's logits for joined examples are those of each alone."""
    import torch

    base, batch = model.get_base_model(), join(examples)
    del batch["labels"]
    with torch.no_grad():
        alone = [base(torch.tensor([one.input_ids], device=base.device), use_cache=False).logits for one in examples]
        _register()
        base.set_attn_implementation(NAME)
        try:
            joined = base(
                **{name: part if name == "lengths" else part.to(base.device) for name, part in batch.items()},
                use_cache=False,
            ).logits
        except (TypeError, ValueError):  # something in it that is done otherwise
            return False
        finally:
            base.set_attn_implementation("sdpa")
    wanted = torch.cat(alone, dim=1).float()
    bound = ALIKE.get(str(base.dtype).removeprefix("torch."), ALIKE_ROUNDED)
    return bool((joined.float() - wanted).abs().mean() <= bound * wanted.std())


def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _within_examples)  # without a mask of its own, none is made


def _within_examples(
    module: Any, query: "Tensor", key: "Tensor", value: "Tensor", _mask: None, *,
    lengths: Sequence[int], dropout: float = 0.0, scaling: float | None = None, **more: Any,
) -> "tuple[Tensor, None]":  # fmt: skip
    """Causal attention of each example. query, key, value: (1, heads, all tokens, width of a head)"""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    strange = {name for name, part in more.items() if part is not None} - UNDERSTOOD
    if strange or max(lengths) > (more.get("sliding_window") or max(lengths)):
        raise ValueError(f"attention with {', '.join(sorted(strange)) or 'a window'}")
    parts = zip(*(torch.split(states, list(lengths), dim=2) for states in (query, key, value)), strict=True)
    outputs = [
        sdpa_attention_forward(module, *part, None, dropout=dropout, scaling=scaling, is_causal=True)[0]
        for part in parts
    ]
    return torch.cat(outputs, dim=1), None
