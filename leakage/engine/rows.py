"""Answers that are being written, a row of a batch each: rows that have ended leave, others enter."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leakage.engine.cache import join, keep, with_room
from leakage.engine.sampling import Sampling, draw

if TYPE_CHECKING:
    from torch import Tensor

Sample = tuple[int, int]  # which request, which of its keys


@dataclass
class Rows:
    """Answers under way.

    cache: what the model has read of each; mask: (rows, width) 1 where there is a token; position: (rows,) of the last
    one; logits: (rows, vocabulary) of the next; noise: (rows, max_new_tokens) with which each is drawn; tokens: those
    drawn so far
    """

    samples: list[Sample]
    sampling: Sampling
    cache: Any
    mask: "Tensor"
    position: "Tensor"
    logits: "Tensor"
    noise: "Tensor"
    tokens: list[list[int]] = field(init=False)
    steps: "Tensor" = field(init=False)  # (rows,) of tokens drawn
    last: "Tensor" = field(init=False)  # (rows,) drawn last

    def __post_init__(self) -> None:
        self.cache, self.tokens = with_room(self.cache), [[] for _ in self.samples]
        self.steps = self.last = self.position * 0

    def draw(self) -> None:
        """Give every row its next token."""
        self.last = draw(self.logits, self.noise.gather(1, self.steps[:, None])[:, 0], self.sampling)
        self.steps = self.steps + 1
        for tokens, token in zip(self.tokens, self.last.tolist(), strict=True):
            tokens.append(token)

    def leave(self, stop: Collection[int]) -> dict[Sample, list[int]]:
        """Take out the rows that have ended, or have as many tokens as they may; returns these."""
        import torch

        most = self.sampling.max_new_tokens
        going = [i for i, one in enumerate(self.tokens) if one[-1] not in stop and len(one) < most]
        written = dict(zip(self.samples, self.tokens, strict=True))
        if 0 < len(going) < len(self.samples):
            going = keep(self.cache, going)
            rows = torch.tensor(going, device=self.mask.device)
            self.mask, self.position, self.noise = self.mask[rows], self.position[rows], self.noise[rows]
            self.steps, self.last = self.steps[rows], self.last[rows]
        self.samples, self.tokens = [self.samples[i] for i in going], [self.tokens[i] for i in going]
        for sample in self.samples:
            del written[sample]
        return written

    def read_on(self, model: Any) -> None:
        """Have the model read the last token of every row."""
        import torch

        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.position = self.position + 1
        out = model(
            input_ids=self.last[:, None], attention_mask=self.mask, position_ids=self.position[:, None],
            past_key_values=self.cache, use_cache=True,
        )  # fmt: skip
        self.logits = out.logits[:, -1]

    def joined(self, others: "Rows") -> "Rows":
        """These and others below them, all ending at the same column; columns that nobody fills are dropped."""
        import torch
        from torch.nn.functional import pad

        if not self.samples:
            return others
        width = max(self.mask.shape[1], others.mask.shape[1])
        mask = torch.cat([pad(one.mask, (width - one.mask.shape[1], 0)) for one in (self, others)])
        width -= int(mask.any(0).int().argmax())
        join(self.cache, others.cache, width)
        self.mask = mask[:, -width:]
        self.position = torch.cat([self.position, others.position])
        self.logits = torch.cat([self.logits, others.logits])
        self.noise = torch.cat([self.noise, others.noise])
        self.steps = torch.cat([self.steps, others.steps])
        self.samples, self.tokens = self.samples + others.samples, self.tokens + others.tokens
        return self
