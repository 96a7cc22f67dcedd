"""Loading a base model, its tokenizer and an adapter."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import DataError, LeakageError, ModelError, first_line
from leakage.models.devices import pick_device
from leakage.models.fingerprint import locate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from leakage.settings.config import Config, ModelSettings

log = logging.getLogger(__name__)
Loaded = Callable[[], tuple[Any, Any]]  # the base model and its tokenizer, when they are needed


def load_tokenizer(settings: "ModelSettings") -> "PreTrainedTokenizerBase":
    """The tokenizer with its chat template."""
    from transformers import AutoTokenizer

    located = locate(settings.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(located, revision=settings.revision)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot load the tokenizer of {located}: {first_line(error)}; copy its files again"
        ) from error
    if tokenizer.chat_template is None:
        raise ModelError(f"the tokenizer of {located} has no chat template; use a chat model")
    if not tokenizer("Hello", add_special_tokens=False)["input_ids"]:
        raise ModelError(
            f"the tokenizer of {located} turns text into nothing: its files are incomplete; copy them again"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_pair(config: "Config", label: str) -> tuple[Any, Any]:
    """Base model and tokenizer of a job, without the bars and notices that would tear ours."""
    from transformers.utils import logging as transformers_logging

    log.info("%s: loading %s", label, config.model.path)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # peft's to heed, not a user's
    return load_base(config.model, config.device), load_tokenizer(config.model)


def load_base(settings: "ModelSettings", device: str) -> Any:
    """The base model in its training dtype, on its device, complete: a missing weight is an error."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    if settings.threads:
        torch.set_num_threads(settings.threads)
    located = locate(settings.path)
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            located,
            revision=settings.revision,
            dtype=getattr(torch, settings.dtype),
            use_safetensors=True,
            output_loading_info=True,
        )
    except LeakageError:
        raise
    except Exception as error:  # safetensors, torch and the hub each raise their own kinds
        raise ModelError(
            f"cannot load the weights of {located}: {first_line(error)}; "
            "give model.path a folder with a whole copy of the model"
        ) from error
    if report["missing_keys"]:
        lost = sorted(report["missing_keys"])
        raise ModelError(f"the weights of {located} lack {len(lost)} tensors, {lost[0]} first; copy the model again")
    # its sampling fields (Qwen2.5: repetition_penalty 1.05) would otherwise enter every generate unasked
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    return model.to(pick_device(device)).eval()


def check_context(model: Any, tokens: int, what: str) -> None:
    """Refuse texts that the model's positions cannot hold."""
    context = getattr(model.config, "max_position_embeddings", None)
    if context is not None and tokens > context:
        raise DataError(f"{what} takes {tokens} tokens, but the model has {context} positions; shorten it")


def attach(base: Any, adapter: Path) -> Any:
    """The base with a saved adapter on it."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(base, str(adapter)).eval()
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise ModelError(f"cannot load the adapter in {adapter}: {first_line(error)}") from error


def for_inference(model: Any, settings: "ModelSettings") -> Any:
    """The model in its inference dtype.

    An adapter stays unmerged, since merging into bf16 loses part of a small delta; only float64 has the room to
    take it in whole, and then saves its extra products.
    """
    import torch

    model = model.to(getattr(torch, settings.inference_dtype))
    mergeable = settings.inference_dtype == "float64" and hasattr(model, "merge_and_unload")
    return model.merge_and_unload() if mergeable else model


def for_training(model: Any, settings: "ModelSettings") -> Any:
    """The base model back in its training dtype, after it has been asked something."""
    import torch

    return model.to(getattr(torch, settings.dtype))


def stop_tokens(model: Any, tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Every token that ends a turn: the tokenizer's and those of the generation config."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)
