"""What a model takes, told from its configuration and the headers of its weight files, and whether it can be had."""

import json
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ModelError
from leakage.models.adapter import TABLES
from leakage.models.devices import gpu_memory
from leakage.models.fingerprint import locate, measured_layers, text_config
from leakage.models.hub import cached, has_weights, refuse_unreachable

if TYPE_CHECKING:
    from leakage.settings.config import LoraSettings, ModelSettings

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


def folder_of(settings: "ModelSettings") -> Path | None:
    """Where a model's files lie: its folder, or its snapshot in the hub's cache; None where it is not here."""
    located = Path(locate(settings.path))
    if located.is_dir():
        return located
    config = cached(settings.path, "config.json", settings.revision)
    return config.parent if config else None


def shapes(settings: "ModelSettings") -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of the weight files, by name; empty where they are not on this machine yet."""
    folder = folder_of(settings)
    return shapes_in(folder) if folder else {}


@lru_cache(maxsize=32)
def shapes_in(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a folder's weight files, by name."""
    tensors: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            try:
                header = json.loads(stream.read(length)) if length < file.stat().st_size else None
            except ValueError:
                header = None
        if header is None or file.stat().st_size < 8 + length + _bytes_of(header):
            raise ModelError(f"{file} is cut off or no safetensors file; copy it again")
        tensors |= {name: tuple(one["shape"]) for name, one in header.items() if name != "__metadata__"}
    return tensors


def _bytes_of(header: dict[str, Any]) -> int:
    """Where the last tensor of a file ends, behind its header."""
    return max((one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"), default=0)


def weights(settings: "ModelSettings") -> int:
    """Parameters of the base model; 0 where its weights are not on this machine yet."""
    return sum(prod(shape) for shape in shapes(settings).values())


def adapter_bytes(settings: "ModelSettings", lora: "LoraSettings") -> int:
    """Bytes of a float32 adapter on every linear layer; 0 where the weights are not on this machine yet."""
    linear = [
        shape
        for name, shape in shapes(settings).items()
        if len(shape) == 2 and not any(table in name for table in TABLES)
    ]
    return sum(4 * lora.r * sum(shape) for shape in linear)


def state_bytes(settings: "ModelSettings") -> int:
    """Bytes of one persona's centroids; 0 where the model is not on this machine yet."""
    if folder_of(settings) is None:
        return 0
    return 4 * len(measured_layers(settings)) * int(text_config(settings.path, settings.revision)["hidden_size"])


def refuse_small_gpus(settings: "ModelSettings") -> None:
    """An error where the weights alone are more than the smallest GPU in sight holds; nothing where there is none."""
    memory = gpu_memory()
    if not memory:
        return
    needed = weights(settings) * max(BYTES[settings.dtype], BYTES[settings.inference_dtype])
    if needed > min(memory):
        raise ModelError(
            f"{settings.name} takes {needed / 2**30:.1f} GiB for its weights alone, and a GPU here has "
            f"{min(memory) / 2**30:.1f} GiB; use a larger one, a smaller model or device=cpu"
        )


def check_reachable(settings: "ModelSettings") -> None:
    """An error where a model is neither in a folder, nor in the hub's cache, nor on a hub that answers."""
    if not (Path(locate(settings.path)).is_dir() or has_weights(settings.path, settings.revision)):
        refuse_unreachable(settings.path, settings.revision)
