"""Adapters kept on the way of a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def keeping(folders: Mapping[int, Path]) -> Any:
    """A Trainer callback that saves the adapter as it is after some steps. folders: where, by step

    Trainer writes checkpoints behind these callbacks, so that a training that goes on from one has all due by then.
    """
    from transformers import TrainerCallback

    class Keeping(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
        def on_step_end(self, _args: Any, state: Any, _control: Any, *, model: Any, **__: Any) -> None:
            if folder := folders.get(state.global_step):
                model.save_pretrained(folder)

    return Keeping()
