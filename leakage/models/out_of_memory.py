"""What to do where memory runs out: notice it, release what is held, and take half as much at a time."""

import ctypes
import gc
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from leakage.errors import ModelError

log = logging.getLogger(__name__)
Some = TypeVar("Some", bound=Sequence[Any])
SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def halved(size: int, cause: str, mend: str) -> int:
    """Half of a batch that the memory does not hold, with a warning; an error where it was of one sequence."""
    if size == 1:
        raise ModelError(
            f"the memory does not hold the model with a single sequence ({cause}); {mend}, use a smaller model, or a "
            "machine with more"
        )
    log.warning("out of memory in batches of %d; going on in batches of %d", size, size // 2)
    return size // 2


def lacking_memory(work: Callable[[Some], None], batch: Some) -> str:
    """What was said when memory ran out; "" where it did not, and the work is done."""
    try:
        work(batch)
    except (RuntimeError, MemoryError) as error:  # torch has its own kinds, and on a CPU none
        if not (isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)):
            raise
        cause = str(error).strip().partition("\n")[0] or "out of memory"
    else:
        return ""
    release_memory()  # not before the error is gone, whose frames hold what is to be released
    return cause


def release_memory() -> None:
    """Give back what nothing refers to any more: a GPU's, and what the C library keeps of a long batch."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None:  # glibc's alone
        trim(0)
