"""Loading a base model, its tokenizer and an adapter; and knowing what is in them without loading."""

import json
import logging
import warnings
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError, DataError, LeakageError, ModelError
from leakage.models.devices import pick_device
from leakage.store.files import digest, file_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from leakage.settings.config import Config, ModelSettings

log = logging.getLogger(__name__)
Loaded = Callable[[], tuple[Any, Any]]  # the base model and its tokenizer, when they are needed
SHIPPED = "pkg://leakage/"
_HASH_WHOLE = 64 * 2**20  # bytes; of a larger weight file as much is read, spread over it evenly
_BLOCK = 2**16
_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "vocab.json", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
)  # fmt: skip


def locate(path: str) -> str:
    """A local folder for `pkg://leakage/…` and for paths; a hub id as it is."""
    if path.startswith(SHIPPED):
        return str(Path(__file__).parents[1] / path.removeprefix(SHIPPED))
    looks_local = path.startswith(("/", "./", "../", "~")) or Path(path).is_dir() or path.count("/") != 1
    if not looks_local:
        return path
    folder = Path(path).expanduser()
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"no model in {folder}: there is no config.json; give model.path a folder in the hub's format or a hub id"
        )
    return str(folder)


@lru_cache(maxsize=32)
def fingerprint(path: str, revision: str | None) -> str:
    """What tells one base model from another: a digest of a local folder's content, or id and revision."""
    located = locate(path)
    folder = Path(located)
    if not folder.is_dir():
        return f"{located}@{revision or 'main'}"
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{folder} holds no *.safetensors; convert the weights (only safetensors are loaded)")
    config = {name: value for name, value in read_config(folder).items() if name != "transformers_version"}
    parts = {name: file_digest(folder / name) for name in _TOKENIZER if (folder / name).is_file()}
    parts |= {file.name: _weights_digest(file) for file in weights}
    parts |= _more_stops(folder, config)
    return digest({"config": config, "files": parts})


def _more_stops(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """The tokens that end a turn, where the generation config names others than the model's."""
    if not (folder / "generation_config.json").is_file():
        return {}
    stops = read_config(folder, "generation_config.json").get("eos_token_id")
    return {} if stops == config.get("eos_token_id") else {"stops": json.dumps(stops)}


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """A JSON file of a model's folder."""
    try:
        config = json.loads((folder / name).read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {folder / name}: {error}; copy the model again") from error
    if not isinstance(config, dict):
        raise ModelError(f"{folder / name} is no model's configuration; copy the model again")
    return config


def _weights_digest(file: Path) -> str:
    """sha256 of a weight file, or of its size and blocks all over it: a plan must not read gigabytes a cell."""
    size = file.stat().st_size
    if size <= _HASH_WHOLE:
        return file_digest(file)
    sampled = sha256(str(size).encode())
    with file.open("rb") as stream:
        for start in range(0, size, size // (_HASH_WHOLE // _BLOCK)):
            stream.seek(start)
            sampled.update(stream.read(_BLOCK))
    return sampled.hexdigest()


def measured_layers(settings: "ModelSettings") -> tuple[int, ...]:
    """The blocks (0-based) whose centroids are taken: those named, or every one."""
    return settings.layers or tuple(range(_blocks(settings.path, settings.revision)))


def headline_layer(settings: "ModelSettings") -> int:
    """The block of the headline's cosine: the one named, or five sevenths deep, as 20 of 28 is.

    A block the model lacks, or one that is not measured, is an error before anything is loaded.
    """
    layer, layers = settings.headline.layer, settings.layers
    if layer is None:
        layer = _blocks(settings.path, settings.revision) * 5 // 7
    if layers is not None and layer not in layers:
        raise ConfigError(f"model.headline.layer={layer} is not among model.layers={list(layers)}; add it there")
    if Path(locate(settings.path)).is_dir():  # of a hub id the files may not be here yet
        blocks = _blocks(settings.path, settings.revision)
        wrong = [one for one in (*(layers or ()), layer) if not 0 <= one < blocks]
        if wrong:
            raise ConfigError(
                f"model.layers: {settings.name} has no block {wrong[0]}, its blocks are 0 to {blocks - 1}; change "
                "model.layers and model.headline.layer"
            )
    return layer


def _blocks(path: str, revision: str | None) -> int:
    """How many blocks a model has, from its configuration alone."""
    located = locate(path)
    try:
        if Path(located).is_dir():  # without the seconds that transformers takes to load
            return int(read_config(Path(located))["num_hidden_layers"])
        return _hub_blocks(located, revision)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"cannot tell how many blocks {located} has: {_first_line(error)}; give model.path a folder with a copy "
            "of the model, or name model.layers and model.headline.layer"
        ) from error


@lru_cache(maxsize=32)
def _hub_blocks(name: str, revision: str | None) -> int:
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(name, revision=revision).num_hidden_layers)


def load_tokenizer(settings: "ModelSettings") -> "PreTrainedTokenizerBase":
    """The tokenizer with its chat template."""
    from transformers import AutoTokenizer

    located = locate(settings.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(located, revision=settings.revision)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot load the tokenizer of {located}: {_first_line(error)}; copy its files again"
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
            f"cannot load the weights of {located}: {_first_line(error)}; "
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
        raise ModelError(f"cannot load the adapter in {adapter}: {_first_line(error)}") from error


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


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".;") if lines else type(error).__name__
