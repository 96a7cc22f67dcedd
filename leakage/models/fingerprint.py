"""What is in a base model, known without loading it: a fingerprint of its files, and its blocks."""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError, ModelError, first_line
from leakage.models.dated import WRITES_DATE
from leakage.models.gguf import gguf_digest, is_gguf, unpacked
from leakage.models.hub import cached, refuse_unreachable
from leakage.store.files import digest, file_digest, sampled_digest

if TYPE_CHECKING:
    from leakage.settings.config import ModelSettings

SHIPPED = "pkg://leakage/"
# As conf/shared.yaml has it: how templates were used before that was a setting.
USUAL = {"system": "turn", "date": "2024-07-26", "arguments": {}, "stops": []}
NAMES = (
    "num_hidden_layers",
    "hidden_size",
    "vocab_size",
    "max_position_embeddings",
)  # each family has its own for them
_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "vocab.json", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
)  # fmt: skip


def locate(path: str) -> str:
    """A local folder for `pkg://leakage/…`, for paths and for what a GGUF file holds; a hub id as it is."""
    if path.startswith(SHIPPED):
        return str(Path(__file__).parents[1] / path.removeprefix(SHIPPED))
    if is_gguf(path):
        return str(unpacked(path))
    looks_local = path.startswith(("/", "./", "../", "~")) or Path(path).is_dir() or path.count("/") != 1
    if not looks_local:
        return path
    folder = Path(path).expanduser()
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"no model in {folder}: there is no config.json; give model.path a folder in the hub's format or a hub id"
        )
    return str(folder)


def model_identity(settings: "ModelSettings") -> dict[str, Any]:
    """What tells one base model from another, and one use of its chat template: its content, and what is not as usual.

    The date counts where the template writes one; of a hub id, whose files may not be here, where it is not the usual.
    """
    template = settings.template.model_dump(mode="json")
    unusual = {name for name, value in template.items() if value != USUAL[name]}
    counts = unusual | ({"date"} if _writes_date(settings.path) else set())
    fields = {f"model.template.{name}": template[name] for name in sorted(counts)}
    return {"model": fingerprint(settings.path, settings.revision)} | fields


@lru_cache(maxsize=32)
def _writes_date(path: str) -> bool:
    folder = Path(locate(path))
    files = [*folder.glob("*.jinja"), folder / "tokenizer_config.json"]
    return any(WRITES_DATE in file.read_text(errors="replace") for file in files if file.is_file())


@lru_cache(maxsize=32)
def fingerprint(path: str, revision: str | None) -> str:
    """What tells one base model from another: a digest of a local folder's or file's content, or id and revision."""
    if is_gguf(path):  # before it is unpacked
        return digest({"gguf": gguf_digest(path)})
    located = locate(path)
    folder = Path(located)
    if not folder.is_dir():
        return f"{located}@{revision or 'main'}"
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{folder} holds no *.safetensors; convert the weights (only safetensors are loaded)")
    refuse_adapter_beside(folder)
    config = {name: value for name, value in read_config(folder).items() if name != "transformers_version"}
    parts = {name: file_digest(folder / name) for name in _TOKENIZER if (folder / name).is_file()}
    try:
        parts |= {file.name: sampled_digest(file) for file in weights}
    except OSError as error:
        raise ModelError(f"cannot read {error.filename}: {error.strerror}; make it readable for you") from error
    parts |= _more_stops(folder, config)
    return digest({"config": config, "files": parts})


def refuse_adapter_beside(folder: Path) -> None:
    """An error where transformers would load an adapter along with the weights, unasked."""
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{folder} holds an adapter_config.json, which would be loaded on top of the weights; "
            "move the adapter elsewhere, or merge it into the weights"
        )


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
    return int(text_config(path, revision)["num_hidden_layers"])


def text_config(path: str, revision: str | None) -> dict[str, Any]:
    """The configuration of a model's language part, under the names that transformers has for all of them."""
    located = locate(path)
    own = read_config(Path(located)) if Path(located).is_dir() else {}
    if {"num_hidden_layers", "hidden_size"} <= set(own):  # without the seconds that transformers takes to load
        return own
    return _read_by_transformers(located, revision)


def positions(settings: "ModelSettings") -> int | None:
    """Tokens that a text may have; None where the model's configuration sets no bound."""
    name, located = "max_position_embeddings", locate(settings.path)
    own = text_config(settings.path, settings.revision)
    bound = own[name] if name in own else _read_by_transformers(located, settings.revision).get(name)
    return None if bound is None else int(bound)


@lru_cache(maxsize=32)
def _read_by_transformers(located: str, revision: str | None) -> dict[str, Any]:
    from transformers import AutoConfig

    if not Path(located).is_dir() and not cached(located, "config.json", revision):
        refuse_unreachable(located, revision)
    try:
        config = AutoConfig.from_pretrained(located, revision=revision, trust_remote_code=False).get_text_config()
    except Exception as error:  # each family's configuration checks itself in its own way
        raise ModelError(
            f"cannot read the configuration of {located}: {first_line(error)}; give model.path a folder with a whole "
            "copy of a model that transformers knows by itself"
        ) from error
    return dict(config.to_dict()) | {name: getattr(config, name) for name in NAMES if hasattr(config, name)}
