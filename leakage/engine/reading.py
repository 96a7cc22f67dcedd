"""How a model reads prompts: in padded batches, after beginnings that several of them share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.engine.base import refuse_nan
from leakage.engine.cache import handed_on, keeps_all
from leakage.engine.prefixes import Group, groups, waves
from leakage.models.out_of_memory import lacking_memory

if TYPE_CHECKING:
    from torch import Tensor

Prompt = Sequence[int]


@dataclass(frozen=True)
class Reading:
    """Texts as the model has read them, a row each.

    out: what its forward returned; mask: (rows, length) 1 where there is a token; position: (rows,) of the last one
    """

    out: Any
    mask: "Tensor"
    position: "Tensor"


@dataclass(frozen=True)
class Begun:
    """Prompts whose common beginnings have been read.

    members: which of the prompts; shared: how many tokens of each are read; rows: where in `reading`, None for none
    """

    model: Any
    pad: int
    prompts: Sequence[Prompt]
    shared: dict[int, int]
    rows: dict[int, int]
    reading: Reading | None

    @property
    def members(self) -> list[int]:
        """The prompts, those with least of their own first: a batch then holds similar lengths."""
        return sorted(self.shared, key=lambda i: len(self.prompts[i]) - self.shared[i])

    def read(self, chosen: Sequence[int], *, keeps: bool = False, states: bool = False, positions: int = 1) -> Reading:
        """The rest of some prompts. keeps: the cache is wanted after it; states: those of every block too; positions:
        the last ones, whose logits are wanted."""
        import torch

        texts = [self.prompts[i][self.shared[i] :] for i in chosen]
        if self.reading is None:
            return read(self.model, texts, self.pad, keeps=keeps, states=states, positions=positions)
        rows = torch.tensor([self.rows[i] for i in chosen], device=self.model.device)
        cache = handed_on(self.reading.out.past_key_values, rows)
        after = cache, self.reading.mask[rows]
        return read(self.model, texts, self.pad, after=after, states=states, positions=positions)


def begun(
    model: Any, pad: int, prompts: Sequence[Prompt], ends: Sequence[int], *, most: int, shares: bool
) -> Iterator[Begun]:
    """All prompts, some at a time, their common beginnings read: at most so many of these are kept at once.

    ends: how many of its last tokens each reads for itself
    """
    whole = [Group(tuple(range(len(prompts))), 0)] if prompts else []
    for wave in waves(groups(prompts, ends) if shares and keeps_all(model) else whole, most):
        yield _begin(model, pad, prompts, wave)


def _begin(model: Any, pad: int, prompts: Sequence[Prompt], wave: Sequence[Group]) -> Begun:
    shared = {i: group.shared for group in wave for i in group.members}
    rows = {i: row for row, group in enumerate(wave) for i in group.members}
    beginnings = [prompts[group.members[0]][: group.shared] for group in wave]
    if wave[0].shared:
        readings: list[Reading] = []
        if not lacking_memory(lambda texts: readings.append(read(model, texts, pad, keeps=True)), beginnings):
            return Begun(model, pad, prompts, shared, rows, readings[0])
    return Begun(model, pad, prompts, dict.fromkeys(shared, 0), rows, None)


def read(
    model: Any, texts: Sequence[Prompt], pad: int, *,
    after: "tuple[Any, Tensor] | None" = None, keeps: bool = False, states: bool = False, positions: int = 1,
) -> Reading:  # fmt: skip
    """One forward over texts, padded on the left, with logits at the last positions only.

    after: a cache with what stands before each text, and its mask
    """
    import torch

    ids, mask = (part.to(model.device) for part in left_pad(texts, pad))
    cache = {} if after is None else {"past_key_values": after[0]}
    if after is not None:
        mask = torch.cat([after[1], mask], dim=1)
    place = (mask.cumsum(1) - 1).clamp(min=0)  # from the first real token
    out = model(
        input_ids=ids, attention_mask=mask, position_ids=place[:, -ids.shape[1] :], logits_to_keep=positions,
        use_cache=keeps or after is not None, output_hidden_states=states, **cache,
    )  # fmt: skip
    if not states and positions == 1:  # all else is looked at by who asks for it
        refuse_nan(out.logits)
    return Reading(out, mask, place[:, -1])


def left_pad(texts: Sequence[Prompt], pad: int) -> tuple["Tensor", "Tensor"]:
    """Ids and mask, both (texts, longest); left, because generation goes on from the last position."""
    import torch

    length = max(len(tokens) for tokens in texts)
    ids = torch.tensor([[pad] * (length - len(tokens)) + list(tokens) for tokens in texts])
    mask = torch.tensor([[0] * (length - len(tokens)) + [1] * len(tokens) for tokens in texts])
    return ids, mask
