"""A model in one GGUF file: unpacked once into a folder in the hub's format, which everything else reads."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError, LeakageError, ModelError, first_line
from leakage.progress import waiting
from leakage.store.files import sampled_digest, share

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
MAGIC = b"GGUF"


def is_gguf(path: str) -> bool:
    """Whether a path names a GGUF file."""
    return path.lower().endswith(".gguf")


def cache_folder() -> Path:
    """Where models that came as one file lie, unpacked or fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leakage"


def gguf_digest(path: str) -> str:
    """What tells one GGUF file from another: weights, tokenizer and template are all in it."""
    file = _whole(Path(path).expanduser())
    return _digest_of(file, file.stat().st_size, file.stat().st_mtime_ns)


def unpacked(path: str) -> Path:
    """The folder with a GGUF file's model in the hub's format, its weights as float32; made if it is not there."""
    file = Path(path).expanduser()
    folder = cache_folder() / f"gguf-{gguf_digest(path)[:16]}"
    if not (folder / "config.json").is_file():
        _unpack(file, folder)
    return folder


@lru_cache(maxsize=32)
def _digest_of(file: Path, _size: int, _changed: int) -> str:
    return sampled_digest(file)


def _whole(file: Path) -> Path:
    """The file itself, if it begins as a GGUF file does."""
    try:
        with file.open("rb") as stream:
            begins = stream.read(len(MAGIC))
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}; give model.path a GGUF file that is there") from error
    if begins != MAGIC:
        raise ModelError(f"{file} is no GGUF file, whatever its name says; copy it again")
    return file


def _unpack(file: Path, folder: Path) -> None:
    """Dequantise into a folder beside the last place, and move it there when it is whole."""
    if find_spec("gguf") is None:
        raise ModelError(f"{file} is read with the package gguf, which is not installed; install it: pip install gguf")
    _refuse_cut_off(file)
    log.info("unpacking %s into %s, its weights as float32 (once)", file, folder)
    try:
        with waiting(f"unpacking {file.name}"), _without_bars():
            _write(*_read(file), folder)
    except OSError as error:
        raise ModelError(
            f"cannot unpack {file} into {folder.parent}: {error.strerror or first_line(error)}; make room there, or "
            "let XDG_CACHE_HOME name a folder with more"
        ) from error


def _refuse_cut_off(file: Path) -> None:
    """Its header says where every tensor lies, which is known long before the last of them is read."""
    from gguf import GGUFReader

    try:
        GGUFReader(file)
    except Exception as error:  # it stumbles over whatever bytes stand in the place of a header's or behind the end
        raise ModelError(
            f"cannot unpack {file}: it was cut off or damaged, or is newer than the package gguf here; copy or fetch "
            "it again, or bring the package up to date: pip install -U gguf"
        ) from error


def _write(model: Any, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """All files or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        whole = Path(temporary, "whole")
        model.save_pretrained(whole)
        tokenizer.save_pretrained(whole)
        for file in whole.iterdir():
            share(file)
        if not folder.exists():  # else another process was faster
            whole.rename(folder)


def _read(file: Path) -> "tuple[Any, PreTrainedTokenizerBase]":
    """The model with plain float32 weights, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, name = str(file.absolute().parent), file.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=name)
        read, report = AutoModelForCausalLM.from_pretrained(
            source, gguf_file=name, dtype=torch.float32, output_loading_info=True
        )
    except LeakageError:
        raise
    except Exception as error:  # a damaged file raises whatever its reader stumbles over
        raise ModelError(f"cannot unpack {file}: {_cause(error)}") from error
    if report["missing_keys"]:
        lost = sorted(report["missing_keys"])
        raise ModelError(
            f"{file} lacks {len(lost)} tensors, {lost[0]} first; where it is one of several parts, merge them first, "
            "else copy it again"
        )
    return _plain(read), tokenizer


def _cause(error: Exception) -> str:
    """What is wrong with a file that could not be read, and the mend."""
    if "architecture" in str(error) or "Unrecognized configuration" in str(error):
        return f"{first_line(error)}; give model.path the model's own folder or hub id, with its full weights"
    return f"it was damaged ({first_line(error)}); copy or fetch it again"


def _plain(read: Any) -> Any:
    """The same weights in a model that was never quantised: transformers refuses to save what was."""
    import torch

    config = type(read.config).from_dict(read.config.to_dict())
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        if hasattr(config, name):
            delattr(config, name)
    with torch.device("meta"):
        model = type(read)(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = read.generation_config
    return model


@contextmanager
def _without_bars() -> Iterator[None]:
    """A bar of the reader's is welcome in a terminal and unreadable in a log."""
    with nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO()):
        yield
