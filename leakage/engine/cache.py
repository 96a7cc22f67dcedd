"""What a model has read, its keys and values: handed from a prompt to its samples, and grown without copying."""

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

UNSTEADY = ("dynamic", "longrope")  # positions whose frequencies a forward changes for all to come
ROOM = 64  # tokens that are made room for at a time


def keeps_all(model: Any) -> bool:
    """Whether a model keeps the keys and values of all tokens and nothing else: no window, no running state.

    Only then can what was read for one prompt be read on from with gaps, as prompts of unequal lengths leave them.
    """
    from transformers import DynamicCache

    return _is_usual(DynamicCache(config=model.config))


def mixes(model: Any) -> bool:
    """Whether texts that are further go beside others that begin: nothing is kept of them but keys and values of all
    tokens, and the longest does not change the positions of the others."""
    return keeps_all(model) and not _has_unsteady_positions(model)


def _has_unsteady_positions(model: Any) -> bool:
    rope = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
    kinds = [rope.get("rope_type"), *(one.get("rope_type") for one in rope.values() if isinstance(one, dict))]
    return any(kind in UNSTEADY for kind in kinds)


def handed_on(cache: Any, rows: "Tensor") -> Any:
    """A cache of these rows of another, which stays as it is."""
    other = copy.copy(cache)
    other.layers = [copy.copy(layer) for layer in cache.layers]
    other.reorder_cache(rows)  # of all caches alike: any rows, not only a permutation of them
    return other


def with_room(cache: Any) -> Any:
    """The cache, where it is of the usual kind with room to grow: else every token copies all that were before it."""
    if _is_usual(cache):
        for i, layer in enumerate(cache.layers):
            cache.layers[i] = _roomy_layer()()
            cache.layers[i].__dict__.update(vars(layer), room=[])
    return cache


def _is_usual(cache: Any) -> bool:
    from transformers.cache_utils import DynamicLayer

    layers = getattr(cache, "layers", [])
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def keep(cache: Any, going: Sequence[int]) -> list[int]:
    """Only these rows of a cache go on; returns the order in which they stand now."""
    import torch

    count = len(going)
    free = sorted(set(range(count)) - set(going))
    moved = dict(zip(free, (row for row in going if row >= count), strict=True))  # last rows into the gaps
    order = [moved.get(place, place) for place in range(count)]
    layers = getattr(cache, "layers", ())
    if layers and all(isinstance(layer, _roomy_layer()) for layer in layers):
        for layer in layers:
            layer.move(moved, count)
    else:
        cache.reorder_cache(torch.tensor(order))
    return order


def join(cache: Any, other: Any, width: int) -> None:
    """The rows of another cache below those of one, both with room: the last `width` tokens of each, zeros before."""
    for layer, below in zip(cache.layers, other.layers, strict=True):
        layer.join(below, width)


@lru_cache(maxsize=1)
def _roomy_layer() -> Any:
    """transformers' usual layer of a cache, with room behind what it holds."""
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped here
        keys: "Tensor"
        values: "Tensor"
        room: "list[Tensor]"  # both, and what is free behind them

        def update(self, key_states: "Tensor", value_states: "Tensor", *_: Any, **__: Any) -> "tuple[Tensor, Tensor]":
            start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
            if not self.room or self.room[0].shape[-2] < end:
                self.room = [_widened(states, end + ROOM) for states in (self.keys, self.values)]
            for room, states in zip(self.room, (key_states, value_states), strict=True):
                room[:, :, start:end] = states
            self.keys, self.values = (room[:, :, :end] for room in self.room)
            return self.keys, self.values

        def move(self, moved: dict[int, int], count: int) -> None:
            """Rows into the places of others; the first `count` stay."""
            for place, row in moved.items():
                for states in self.room or (self.keys, self.values):
                    states[place] = states[row]
            self.room = [states[:count] for states in self.room]
            self.keys, self.values = self.keys[:count], self.values[:count]

        def join(self, below: Any, width: int) -> None:
            """Rows of another layer below these, all ending at column `width`."""
            pairs = (self.keys, below.keys), (self.values, below.values)
            self.room = [_joined(pair, width) for pair in pairs]
            self.keys, self.values = (room[:, :, :width] for room in self.room)

    return RoomyLayer


def _joined(parts: "tuple[Tensor, Tensor]", width: int) -> "Tensor":
    """Zeros where there is nothing: a weight of 0 does not rid a sum of what is no number."""
    rows, (_, heads, _, size) = sum(map(len, parts)), parts[0].shape
    room, start = parts[0].new_zeros((rows, heads, width + ROOM, size)), 0
    for part in parts:
        last = part[:, :, -width:]
        room[start : start + len(part), :, width - last.shape[2] : width] = last
        start += len(part)
    return room


def _widened(states: "Tensor", length: int) -> "Tensor":
    wide = states.new_empty((*states.shape[:2], length, states.shape[-1]))
    wide[:, :, : states.shape[-2]] = states
    return wide
