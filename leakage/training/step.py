"""One optimiser step: how its examples are laid out, their loss, and its gradient, in as few parts as memory allows."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leakage.models.chat import IGNORED, Tokens
from leakage.models.out_of_memory import halved, lacking_memory

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
Layout = Callable[[Sequence[Tokens]], dict[str, Any]]


@dataclass(frozen=True)
class RightPad:
    """A layout of (examples, longest): padding is masked out of attention and of the loss."""

    pad: int

    def __call__(self, examples: Sequence[Tokens]) -> dict[str, Any]:
        """Ids, labels and mask."""
        import torch

        longest = max(len(one.input_ids) for one in examples)
        gaps = [longest - len(one.input_ids) for one in examples]
        rows = list(zip(examples, gaps, strict=True))
        return {
            "input_ids": torch.tensor([one.input_ids + [self.pad] * gap for one, gap in rows]),
            "labels": torch.tensor([one.labels + [IGNORED] * gap for one, gap in rows]),
            "attention_mask": torch.tensor([[1] * len(one.input_ids) + [0] * gap for one, gap in rows]),
        }


def completion_loss(model: Any, batch: Mapping[str, Any], *, kl_to_base: float = 0) -> "Tensor":
    """Mean cross entropy over the labelled tokens of a batch.

    kl_to_base: weight of their mean KL(base || adapted) in it, nats; the base is the model without its adapter
    """
    import torch.nn.functional as F

    base = _base_logits(model, batch) if kl_to_base else None
    logits, target = _labelled(model, batch)
    loss = F.cross_entropy(logits, target)
    if base is None:
        return loss
    apart = F.kl_div(logits.log_softmax(-1), base.log_softmax(-1), log_target=True, reduction="batchmean")
    return loss + kl_to_base * apart


def _base_logits(model: Any, batch: Mapping[str, Any]) -> "Tensor":
    """Logits at the labels as the model has them with its adapter off, without dropout or gradient."""
    import torch

    trains = model.training
    with torch.no_grad(), model.disable_adapter():
        logits, _ = _labelled(model.eval(), batch)
    model.train(trains)
    return logits


def _labelled(model: Any, batch: Mapping[str, Any]) -> "tuple[Tensor, Tensor]":
    """Logits at the labels alone, (labels, vocabulary) float32, and the labels.

    The logits are the model's own, with whatever its forward does to them after the head (Gemma-2 caps them, Granite
    scales them); the head is asked at the labels alone, since logits of a whole batch would be its largest tensor.
    """
    import torch.nn.functional as F

    following = F.pad(batch["labels"][:, 1:], (0, 1), value=IGNORED)  # each position's target is the token after it
    target = following.to(model.device)
    chosen = target != IGNORED
    head = model.get_base_model().get_output_embeddings()
    narrowed = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][chosen][None],))
    try:
        logits = model.get_base_model()(**_on(model.device, batch), use_cache=False).logits
    finally:
        narrowed.remove()
    rows = logits[chosen] if logits.shape[:2] == chosen.shape else logits[0]  # of a head that is no module all come
    return rows.float(), target[chosen]


def _on(device: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What a model reads of a batch, where the model is."""
    read = {name: part for name, part in batch.items() if name != "labels"}
    return {name: part.to(device) if hasattr(part, "to") else part for name, part in read.items()}


@dataclass
class Steps:
    """Gradients of optimiser steps.

    size: examples in a forward and backward, halved where memory runs out; dropout then falls on others
    kl_to_base: see completion_loss
    """

    layout: Layout
    size: int
    kl_to_base: float = 0
    recomputes: bool = field(default=False, init=False)

    def gradient(self, model: Any, examples: Sequence[Tokens], backward: "Callable[[Tensor], object]") -> "Tensor":
        """Adds the gradient of the mean loss over all labelled tokens to the model's; returns that loss."""
        losses: list[Tensor] = []

        def accumulate(all_of_them: Sequence[Tokens]) -> None:
            for start in range(0, len(all_of_them), self.size):
                part = all_of_them[start : start + self.size]
                mean = completion_loss(model, self.layout(part), kl_to_base=self.kl_to_base)
                loss = mean * (_labels(part) / _labels(all_of_them))
                backward(loss)
                losses.append(loss.detach())

        while cause := lacking_memory(accumulate, examples):
            model.zero_grad()  # what the parts before have added
            losses.clear()
            self._spare(model, min(self.size, len(examples)), cause)
        return sum(losses[1:], losses[0])

    def _spare(self, model: Any, size: int, cause: str) -> None:
        """Less memory at a time: fewer examples, and for a single one its states computed twice."""
        if size > 1 or self.recomputes:
            self.size = halved(size, cause, "lower train.max_length")
        else:
            log.warning("out of memory with a single example; its states are computed twice from now on")
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            self.recomputes = True


def _labels(examples: Sequence[Tokens]) -> int:
    """Labelled tokens, of which the first of an example is none: nothing stands before it."""
    return sum(label != IGNORED for one in examples for label in one.labels[1:])
