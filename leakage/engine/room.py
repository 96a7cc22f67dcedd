"""How many sequences free memory holds at a time, told beforehand.

A GPU says when its memory is full, and a smaller batch can follow; on a CPU the system ends the process without a word.
"""

from typing import Any

from leakage.models.free_memory import free_memory

SHARE = 0.5  # of what is free; the rest is for what was not counted, and for others on the machine
LOGIT = 24  # bytes beside a logit: what is made of it in float64, and in between


def room(model: Any, read: int, *, more: int = 0, positions: int = 1, states: bool = False) -> int:
    """Sequences that the model can be asked at a time, one at least.

    read: tokens of each that are read in one forward; more: those that follow one by one; positions: those whose
    logits are wanted; states: of every block too
    """
    config, number = model.config.get_text_config(), model.dtype.itemsize
    cached, working = _numbers_a_token(config, states=states)
    each: int = number * (read * (cached + working) + more * cached)
    each += positions * config.vocab_size * (number + LOGIT)
    return max(1, int(SHARE * free_memory(model.device)) // each)


def _numbers_a_token(config: Any, *, states: bool) -> tuple[int, int]:
    """What is kept of a token for all that follow it, and what a block holds of it while it works."""
    width, layers, heads = config.hidden_size, config.num_hidden_layers, config.num_attention_heads
    head = getattr(config, "head_dim", None) or width // heads
    cached = 2 * layers * head * (getattr(config, "num_key_value_heads", None) or heads)
    inner = getattr(config, "intermediate_size", None) or 4 * width
    widest = inner if isinstance(inner, int) else max(inner)  # where each block has its own
    return cached, 8 * width + 3 * widest + (layers + 1) * width * states
