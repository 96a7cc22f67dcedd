"""Engines: prompts in, completions or hidden states out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.engine.base import Answered, Completion, Engine, Followed, Request, StateEngine
from leakage.engine.sampling import Sampling

if TYPE_CHECKING:
    from leakage.models.chat import ChatTemplate
    from leakage.models.held import Loaded
    from leakage.settings.config import Config, EvalSettings

SHARES_FROM = 2**24  # weights; a smaller model reads a beginning again sooner than it is handed on

__all__ = [
    "Answered", "Completion", "Engine", "Followed", "Request", "Sampling", "StateEngine", "asking", "build_engine",
    "engine_for",
]  # fmt: skip


def build_engine(model: Any, template: "ChatTemplate", settings: "EvalSettings") -> StateEngine:
    """The engine the settings name, around a loaded model; for what vLLM does not tell, the fast one."""
    from leakage.engine.fast import FastEngine
    from leakage.engine.reference import ReferenceEngine

    if settings.engine == "reference":
        return ReferenceEngine(model, template.tokenizer, template.stops)
    shares = sum(weight.numel() for weight in model.parameters()) >= SHARES_FROM
    return FastEngine(
        model, template.tokenizer, settings.batch_size, template.stops, shares, refills=model.device.type != "cpu"
    )


def engine_for(config: "Config", model: Any, template: "ChatTemplate") -> StateEngine:
    """The engine of a job, around its model in its inference dtype."""
    from leakage.models.load import for_inference

    return build_engine(for_inference(model, config.model), template, config.eval)


@contextmanager
def asking(loaded: "Loaded", adapter: Path | None) -> Iterator[Engine]:
    """The engine of a job around its base model, with a saved adapter on it or with none."""
    from leakage.models.adapter import attached

    if loaded.config.eval.engine == "vllm":
        from leakage.engine.vllm import vllm_engine

        loaded.release()  # it has the weights a second time
        yield vllm_engine(loaded.config, loaded.template, adapter)
        return
    with attached(loaded.base, adapter) as model:
        yield engine_for(loaded.config, model, loaded.template)
    loaded.keep(adapted=adapter is not None)
