"""A LoRA adapter that was made elsewhere: where its files are, whether they fit the base model, and what tells it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ModelError, first_line
from leakage.models.memory import shapes, shapes_in
from leakage.store.files import digest, sampled_digest

if TYPE_CHECKING:
    from leakage.settings.config import ModelSettings

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
SETTING = "adapter.path takes a folder that peft's save_pretrained wrote, or a hub id"
INCIDENTAL = {"base_model_name_or_path", "revision", "inference_mode", "peft_version", "auto_mapping"}
MODULE = re.compile(r"^base_model\.model\.(.+)\.lora_(A|B)\.weight$")


@dataclass(frozen=True)
class OutsideAdapter:
    """A folder with an adapter's two files. config: what adapter_config.json says"""

    folder: Path
    config: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """sha256 of what can change an answer: the weights, and the configuration but for names and versions."""
        config = {name: value for name, value in self.config.items() if name not in INCIDENTAL}
        return digest({"config": config, "weights": sampled_digest(self.folder / TENSORS)})

    @property
    def files(self) -> tuple[Path, Path]:
        """Its configuration and its weights."""
        return self.folder / CONFIG, self.folder / TENSORS

    @property
    def base(self) -> str:
        """The model that it says it was trained on; "" where it does not."""
        return str(self.config.get("base_model_name_or_path") or "")

    @property
    def weights(self) -> int:
        """How many numbers it has."""
        return sum(prod(shape) for shape in shapes_in(self.folder).values())

    def strange_base(self, model: "ModelSettings") -> str:
        """A sentence where it says that it belongs to a model of another name; names of copies may differ."""
        own, wanted = (path.rstrip("/").rpartition("/")[2].lower() for path in (self.base, model.path))
        if not own or own in {wanted, model.name.lower()}:
            return ""
        return f"{CONFIG} says that it was made on {self.base}, and it is put on {model.path}; see that both are one"

    def refuse_misfit(self, model: "ModelSettings") -> None:
        """An error where its layers are not those of the model, as far as its files are here."""
        known: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for name, shape in shapes(model).items():
            known[_in_block(name)].append(shape)
        parts = list(self._parts())
        if known and parts and not any(_in_block(name) in known for name, _, _ in parts):
            raise ModelError(
                f"the adapter in {self.folder} is for layers that {model.name} has not, {parts[0][0]} first; "
                f"{self._other_model}"
            )
        for name, length, shape in parts:
            wholes = known.get(_in_block(name), [])
            if wholes and not any(length in whole for whole in wholes):
                raise ModelError(
                    f"the adapter in {self.folder} does not fit {model.name}: {name} is {list(wholes[0])} there, and "
                    f"the adapter's part of it {list(shape)}; {self._other_model}"
                )

        if known:
            self._refuse_incomplete(known)

    def _refuse_incomplete(self, known: Iterable[str]) -> None:
        """An error where matrices are missing that others of their kind have, or are not of the rank that it says.

        known: names of the model's weights, from the number of their block on
        """
        there, config = shapes_in(self.folder), self.config
        halves = {(_in_block(part[1]), part[2]) for name in there if (part := MODULE.match(name))}
        if not config.get("layers_to_transform") and not config.get("exclude_modules"):
            kinds = {_kind(name) for name, _ in halves}
            names = sorted(name.removesuffix(".weight") for name in known)
            due = [(name, half) for name in names if _kind(name) in kinds for half in "AB"]
            if lost := [f"lora_{half} of {name[1:]}" for name, half in due if (name, half) not in halves]:
                raise self._incomplete(f"lacks {len(lost)} of {len(due)} matrices, {lost[0]} first")
        if config.get("use_dora") and not any("lora_magnitude_vector" in name for name in there):
            raise self._incomplete("says use_dora and lacks its magnitudes")
        for name, shape in there.items():
            rank = shape[0 if ".lora_A." in name else 1] if MODULE.match(name) and len(shape) == 2 else None
            if rank and not config.get("rank_pattern") and rank != config.get("r"):
                raise self._incomplete(f"says r: {config.get('r')}, and {name} is of rank {rank}")

    def _incomplete(self, what: str) -> ModelError:
        return ModelError(f"the adapter in {self.folder} {what}; copy or save it again")

    @property
    def _other_model(self) -> str:
        return f"name the model that it was trained on with model=…{f' ({self.base})' if self.base else ''}"

    def _parts(self) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """Of each LoRA matrix the weight it changes, the length that they share (A reads, B writes), and its shape."""
        for name, shape in shapes_in(self.folder).items():
            if (part := MODULE.match(name)) and len(shape) == 2:
                yield f"{part[1]}.weight", shape[1 if part[2] == "A" else 0], shape


def _in_block(name: str) -> str:
    """A weight's name from the number of its block on: what comes before may differ between a file and a model."""
    block = re.search(r"\.\d+\..*", name)
    return block[0] if block else name


def _kind(name: str) -> str:
    """What a module is called in every block."""
    return re.sub(r"^\.\d+", "", name)


@lru_cache(maxsize=8)
def read_adapter(path: str, revision: str | None) -> OutsideAdapter:
    """The adapter in a folder or of the hub; an error where it is none that can be put on a model here."""
    folder = _locate(path, revision)
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}; {SETTING}")
    for name in (CONFIG, TENSORS):
        if not (folder / name).is_file():
            raise ModelError(f"there is no {name} in {folder}; {SETTING}")
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {folder / CONFIG}: {first_line(error)}; copy the adapter again") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise ModelError(
            f"the adapter in {folder} is of type {kind}, and only LORA can be put on a model; name another"
        )
    return OutsideAdapter(folder, config)


def _locate(path: str, revision: str | None) -> Path:
    """The folder of an adapter; of a hub id, in the hub's cache."""
    folder = Path(path).expanduser()
    if (folder / "adapter" / CONFIG).is_file():  # a record of a training here
        return folder / "adapter"
    if folder.is_dir() or path.startswith(("/", "./", "../", "~")) or path.count("/") != 1:
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=[CONFIG, TENSORS]))
    except Exception as error:  # of three libraries, with no common ground
        raise ModelError(f"cannot fetch the adapter {path}: {first_line(error)}; {SETTING}") from error
