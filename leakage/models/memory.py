"""What a model takes, told from its configuration alone, and whether it can be had."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ModelError
from leakage.models.devices import gpu_memory
from leakage.models.fingerprint import locate, measured_layers, read_config

if TYPE_CHECKING:
    from leakage.settings.config import LoraSettings, ModelSettings

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
HUB_TIMEOUT_S = 10.0


def model_config(settings: "ModelSettings") -> dict[str, Any] | None:
    """A model's config.json, from its folder or the hub's cache; None where it is not on this machine."""
    located = Path(locate(settings.path))
    if located.is_dir():
        return read_config(located)
    cached = _cached(settings, "config.json")
    return read_config(cached.parent) if cached else None


def _cached(settings: "ModelSettings", name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(settings.path, name, revision=settings.revision)
    return Path(path) if isinstance(path, str) else None


def linear_shapes(config: dict[str, Any]) -> list[tuple[int, int]]:
    """(in, out) of every linear layer in a block of a Llama or Qwen2, which all models of the study are."""
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    width = config.get("head_dim") or hidden // heads
    query, key = heads * width, config.get("num_key_value_heads", heads) * width
    return [(hidden, query), *[(hidden, key)] * 2, (query, hidden), *[(hidden, inner)] * 2, (inner, hidden)]


def weights(config: dict[str, Any]) -> int:
    """Parameters of the base model."""
    block = sum(wide * long for wide, long in linear_shapes(config))
    tables = 1 if config.get("tie_word_embeddings") else 2
    return int(config["num_hidden_layers"] * block + tables * config["vocab_size"] * config["hidden_size"])


def adapter_bytes(settings: "ModelSettings", lora: "LoraSettings") -> int:
    """Bytes of a float32 adapter on every linear layer; 0 where the model is not on this machine yet."""
    config = model_config(settings)
    if config is None:
        return 0
    return int(config["num_hidden_layers"]) * sum(4 * lora.r * sum(shape) for shape in linear_shapes(config))


def state_bytes(settings: "ModelSettings") -> int:
    """Bytes of one persona's centroids."""
    config = model_config(settings)
    return 4 * len(measured_layers(settings)) * int(config["hidden_size"]) if config else 0


def refuse_small_gpus(settings: "ModelSettings") -> None:
    """An error where the weights alone are more than the smallest GPU in sight holds; nothing where there is none."""
    config, memory = model_config(settings), gpu_memory()
    if config is None or not memory:
        return
    needed = weights(config) * max(BYTES[settings.dtype], BYTES[settings.inference_dtype])
    if needed > min(memory):
        raise ModelError(
            f"{settings.name} takes {needed / 2**30:.1f} GiB for its weights alone, and a GPU here has "
            f"{min(memory) / 2**30:.1f} GiB; use a larger one, a smaller model or device=cpu"
        )


def check_reachable(settings: "ModelSettings") -> None:
    """An error where a model is neither in a folder, nor in the hub's cache, nor on a hub that answers."""
    located = locate(settings.path)
    if Path(located).is_dir() or _is_cached(settings):
        return
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(settings.path, revision=settings.revision, timeout=HUB_TIMEOUT_S)
    except Exception as error:  # offline, unknown, gated: each its own kind
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{settings.path} is not in the hub's cache and cannot be fetched ({cause}); give model.path a folder "
            "with a copy, or fetch it where there is internet"
        ) from error


def _is_cached(settings: "ModelSettings") -> bool:
    names: Sequence[str] = ("model.safetensors.index.json", "model.safetensors")
    return any(_cached(settings, name) for name in names)
