"""Sampling one token from logits with a number fixed beforehand, so that batch order cannot matter."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leakage.engine.nucleus import Nucleus

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

    logits: (rows, vocabulary); uniform: (rows,) float64 in [0, 1). Temperature 0 takes the likeliest. Equally likely
    tokens, of which bf16 logits have many, stand in the order of their ids: a row's token is its own affair.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    if logits.element_size() == 8:
        return _weigh_all(logits, uniform, sampling)
    nucleus = Nucleus(sampling.temperature, sampling.top_p)
    chosen = nucleus.draw(logits, uniform)
    unclear = (chosen < 0).nonzero()[:, 0]
    if len(unclear):
        chosen[unclear] = _weigh_all(logits[unclear], uniform[unclear], sampling)
    return chosen


def _weigh_all(logits: "Tensor", uniform: "Tensor", sampling: Sampling) -> "Tensor":
    """draw, as it is defined: float64, and all tokens in order."""
    probabilities = (logits.double() / sampling.temperature).softmax(-1)
    top, ids = _likeliest(probabilities, _CANDIDATES)
    chosen = _invert(top, ids, uniform, sampling.top_p)
    # a nucleus that may go on behind the candidates, or among others as likely as the last, is looked for in all
    open_ended = ~((top * (top > top[:, -1:])).sum(-1) >= sampling.top_p)
    if top.shape[-1] < probabilities.shape[-1] and bool(open_ended.any()):
        top, ids = probabilities[open_ended].sort(dim=-1, descending=True, stable=True)
        chosen[open_ended] = _invert(top, ids, uniform[open_ended], sampling.top_p)
    return chosen


def _likeliest(probabilities: "Tensor", count: int) -> tuple["Tensor", "Tensor"]:
    """The likeliest tokens of each row and their ids, equal ones by id: topk alone orders these as it likes."""
    ids = probabilities.topk(min(count, probabilities.shape[-1]), dim=-1).indices.sort(dim=-1).values
    top, order = probabilities.gather(-1, ids).sort(dim=-1, descending=True, stable=True)
    return top, ids.gather(-1, order)


def _invert(top: "Tensor", ids: "Tensor", uniform: "Tensor", top_p: float) -> "Tensor":
    """Of tokens in falling order of probability the one at `uniform` of the nucleus' distribution."""
    before = top.cumsum(-1) - top
    nucleus = top.where(before < top_p, 0.0).cumsum(-1)
    target = uniform.unsqueeze(-1) * nucleus[:, -1:]
    choice = (nucleus <= target).sum(-1, keepdim=True)
    return ids.gather(-1, choice.clamp(max=ids.shape[-1] - 1)).squeeze(-1)
