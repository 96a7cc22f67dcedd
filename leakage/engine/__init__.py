"""Engines: prompts in, completions or hidden states out."""

from typing import TYPE_CHECKING, Any

from leakage.engine.base import Completion, Engine, Request
from leakage.engine.sampling import Sampling

if TYPE_CHECKING:
    from leakage.settings.config import Config, EvalSettings

__all__ = ["Completion", "Engine", "Request", "Sampling", "build_engine", "engine_for"]


def build_engine(model: Any, tokenizer: Any, settings: "EvalSettings") -> Engine:
    """The engine the settings name, around a loaded model."""
    from leakage.engine.fast import FastEngine
    from leakage.engine.reference import ReferenceEngine
    from leakage.models.load import stop_tokens

    stop = stop_tokens(model, tokenizer)
    if settings.engine == "reference":
        return ReferenceEngine(model, tokenizer, stop)
    return FastEngine(model, tokenizer, settings.batch_size, stop)


def engine_for(config: "Config", model: Any, tokenizer: Any) -> Engine:
    """The engine of a job, around its model in its inference dtype."""
    from leakage.models.load import for_inference

    return build_engine(for_inference(model, config.model), tokenizer, config.eval)
