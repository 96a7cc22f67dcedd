"""Who else is told of every step: TensorBoard and Weights & Biases, through transformers' own callbacks."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leakage.errors import ConfigError

TRACKING = ".tracking"  # beside the adapter, and no part of its record


def missing_package(names: Sequence[str]) -> list[str]:
    """Why a training could not report to all of these; nothing where their packages are installed."""
    return [
        f"train.report_to=[{','.join(names)}]: the package {name} is not installed; "
        f"pip install {name}, or leave train.report_to out"
        for name in names
        if find_spec(name) is None
    ]


def refuse_missing(names: Sequence[str]) -> None:
    """An error before anything is trained where a package is not installed."""
    if missing := missing_package(names):
        raise ConfigError(missing[0])


def log_below(trainer: Any, folder: Path) -> None:
    """Let TensorBoard's events lie where they stay: by itself they go with the checkpoints."""
    for callback in trainer.callback_handler.callbacks:
        if hasattr(callback, "logging_dir"):
            callback.logging_dir = str(folder)
