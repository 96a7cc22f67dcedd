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
Layout = Callable[[Sequence[Tokens]], "dict[str, Tensor | None]"]

JOINS_FROM = 2**24  # weights; a smaller model reads padding sooner than the mask that keeps examples apart is made
TOGETHER = 4096  # tokens joined in one forward: attention among them grows with their square
APART = 1e-3  # of the logits' spread: far above what rounding does to them, far below what an example seen would do


@dataclass(frozen=True)
class RightPad:
    """A layout of (examples, longest): padding is masked out of attention and of the loss."""

    pad: int

    def __call__(self, examples: Sequence[Tokens]) -> "dict[str, Tensor | None]":
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


def join(examples: Sequence[Tokens]) -> "dict[str, Tensor | None]":
    """A layout of (1, all tokens), without padding. Positions begin anew with each example.

    By these transformers keeps examples apart, but only without a cache and without a mask: any other call lets each
    see those before it, and says nothing.
    """
    import torch

    return {
        "input_ids": torch.tensor([[id for one in examples for id in one.input_ids]]),
        "labels": torch.tensor([[label for one in examples for label in (IGNORED, *one.labels[1:])]]),
        "attention_mask": None,
        "position_ids": torch.tensor([[place for one in examples for place in range(len(one.input_ids))]]),
    }


def layout_for(model: Any, examples: Sequence[Tokens]) -> Layout:
    """Joined where that saves time and the model keeps the examples apart, else padded."""
    padded = RightPad(model.config.get_text_config().pad_token_id or 0)
    large = sum(weight.numel() for weight in model.parameters()) >= JOINS_FROM
    return join if large and keeps_apart(model, examples) else padded


def keeps_apart(model: Any, examples: Sequence[Tokens]) -> bool:
    """Whether what a model makes of an example is the same after any other: tried, as not every architecture does."""
    import torch

    second = min(examples, key=lambda one: len(one.input_ids))
    first = [Tokens(ids, [IGNORED] * len(ids)) for ids in (second.input_ids, second.input_ids[::-1])]
    with torch.no_grad():
        try:
            after = [_logits(model.eval(), join([one, second]))[0, len(second.input_ids) :].float() for one in first]
        except TypeError:  # it takes no positions
            return False
    return bool((after[0] - after[1]).abs().max() <= APART * after[0].std())


def _logits(model: Any, batch: "Mapping[str, Tensor | None]") -> "Tensor":
    read = {name: part if part is None else part.to(model.device) for name, part in batch.items() if name != "labels"}
    logits: Tensor = model.get_base_model()(**read, use_cache=False).logits
    return logits


def completion_loss(model: Any, batch: "Mapping[str, Tensor | None]") -> "Tensor":
    """Mean cross entropy over the labelled tokens of a batch.

    The logits are the model's own, with whatever its forward does to them after the head (Gemma-2 caps them, Granite
    scales them); the head is asked at the labels alone, since logits of a whole batch would be its largest tensor.
    """
    import torch.nn.functional as F

    labels = batch["labels"]
    assert labels is not None
    target = F.pad(labels[:, 1:], (0, 1), value=IGNORED).to(model.device)  # each position's is the token after it
    chosen = target != IGNORED
    head = model.get_base_model().get_output_embeddings()
    narrowed = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][chosen][None],))
    try:
        logits = _logits(model, batch)
    finally:
        narrowed.remove()
    rows = logits[chosen] if logits.shape[:2] == chosen.shape else logits[0]  # of a head that is no module all come
    return F.cross_entropy(rows.float(), target[chosen])


@dataclass
class Steps:
    """Gradients of optimiser steps. size: examples in a forward and backward, halved where memory runs out."""

    layout: Layout
    size: int
    recomputes: bool = field(default=False, init=False)

    def gradient(self, model: Any, examples: Sequence[Tokens], backward: "Callable[[Tensor], object]") -> "Tensor":
        """Adds the gradient of the mean loss over all labelled tokens to the model's; returns that loss."""
        losses: list[Tensor] = []

        def accumulate(all_of_them: Sequence[Tokens]) -> None:
            for part in self._parts(all_of_them):
                loss = completion_loss(model, self.layout(part)) * (_labels(part) / _labels(all_of_them))
                backward(loss)
                losses.append(loss.detach())

        while cause := lacking_memory(accumulate, examples):
            model.zero_grad()  # what the parts before have added
            losses.clear()
            self._spare(model, min(self.size, len(examples)), cause)
        return sum(losses[1:], losses[0])

    def _parts(self, examples: Sequence[Tokens]) -> list[Sequence[Tokens]]:
        """Examples in their order, `size` together, and joined ones only as long as they are not too many tokens."""
        parts: list[list[Tokens]] = []
        for one in examples:
            tokens = sum(len(other.input_ids) for other in parts[-1]) + len(one.input_ids) if parts else 0
            if not parts or len(parts[-1]) == self.size or (self.layout is join and tokens > TOGETHER):
                parts.append([])
            parts[-1].append(one)
        return list(parts)

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
