"""Engines: prompts in, completions or hidden states out."""

from typing import TYPE_CHECKING, Any

from leakage.engine.base import Completion, Engine, Request
from leakage.engine.sampling import Sampling

if TYPE_CHECKING:
    from leakage.config import EvalSettings

__all__ = ["Completion", "Engine", "Request", "Sampling", "build_engine"]


def build_engine(model: Any, tokenizer: Any, settings: "EvalSettings") -> Engine:
    """The engine the settings name, around a loaded model."""
    from leakage.engine.fast import FastEngine
    from leakage.engine.reference import ReferenceEngine
    from leakage.models import stop_tokens

    stop = stop_tokens(model, tokenizer)
    if settings.engine == "reference":
        return ReferenceEngine(model, tokenizer, stop)
    return FastEngine(model, tokenizer, settings.batch_size, stop)
