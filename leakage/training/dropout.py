"""Dropout on a CPU by what falls out alone: a mask for all takes there a quarter of the time of a training step."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, Any

from leakage.training.joined import is_large

if TYPE_CHECKING:
    from torch import Tensor

MOST = 0.25  # of the values that fall out; above it a number for each of them costs no less than a mask
BEYOND = 8  # standard deviations: nobody will see more fall out than numbers are drawn for


@contextmanager
def sparse_dropout(model: Any) -> Iterator[None]:
    """Dropout layers of a large model on a CPU, each value still by a chance of its own; in this block."""
    layers = [layer for layer in _layers(model) if layer.p <= MOST] if is_large(model) and _on_cpu(model) else []
    for layer in layers:
        layer.forward = partial(_forward, layer)
    yield
    for layer in layers:
        del layer.forward


def _on_cpu(model: Any) -> bool:
    return all(weight.device.type == "cpu" for weight in model.parameters())


def _layers(model: Any) -> "Iterator[Any]":
    from torch.nn import Dropout

    return (layer for layer in model.modules() if type(layer) is Dropout and layer.p)


def _forward(layer: Any, values: "Tensor") -> "Tensor":
    return dropped(values, layer.p) if layer.training else values


def dropped(values: "Tensor", p: float) -> "Tensor":
    """Each value 0 with probability p, the others over 1 - p."""
    return values.flatten().index_fill(0, places(values.numel(), p), 0).view(values.shape) / (1 - p)


def places(many: int, p: float) -> "Tensor":
    """Which of so many trials, each with probability p, come true: between two of them lies a geometric number."""
    import torch

    draws = int(many * p + BEYOND * sqrt(many * p)) + BEYOND
    ends = torch.empty(draws, dtype=torch.int64).geometric_(p).cumsum_(0) - 1
    return ends[: int(torch.searchsorted(ends, many))]
