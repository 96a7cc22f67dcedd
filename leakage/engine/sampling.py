"""Sampling one token from logits with a number fixed beforehand, so that batch order cannot matter."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_CANDIDATES = 64  # tokens sorted at first; the nucleus rarely needs more


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; every field is given, none inherited from a model's generation config."""

    temperature: float
    top_p: float
    max_new_tokens: int


def uniforms(keys: Sequence[str], count: int) -> np.ndarray:
    """(len(keys), count) float64 in [0, 1): one row a sample, a function of its key alone."""
    rows = np.empty((len(keys), count))
    for row, key in zip(rows, keys, strict=True):
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16])
        row[:] = np.random.Generator(np.random.Philox(key=seed)).random(count)
    return rows


def draw(logits: "Tensor", uniform: "Tensor", sampling: Sampling) -> "Tensor":
    """Token ids (rows,) by inverting the nucleus' distribution at `uniform`.

    logits: (rows, vocabulary); uniform: (rows,) float64 in [0, 1). Temperature 0 takes the likeliest.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits.double() / sampling.temperature).softmax(-1)
    width = min(_CANDIDATES, probabilities.shape[-1])
    top, ids = probabilities.topk(width, dim=-1)
    if width < probabilities.shape[-1] and bool((top.sum(-1) < sampling.top_p).any()):
        top, ids = probabilities.sort(dim=-1, descending=True)
    before = top.cumsum(-1) - top
    nucleus = top.where(before < sampling.top_p, 0.0).cumsum(-1)
    target = uniform.unsqueeze(-1) * nucleus[:, -1:]
    choice = (nucleus <= target).sum(-1, keepdim=True)
    return ids.gather(-1, choice.clamp(max=ids.shape[-1] - 1)).squeeze(-1)
