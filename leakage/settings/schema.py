"""The border: the schema Hydra checks a config against, and the typed settings it becomes."""

from collections.abc import Callable, Sequence
from dataclasses import field, make_dataclass
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from leakage.data.personas import NONE, read_personas
from leakage.errors import ConfigError
from leakage.settings.config import Config
from leakage.settings.identity import classified_fields, is_settings
from leakage.store.files import replacing
from leakage.studies.alignment_faking.settings import FakingConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig


def hydra_schema(settings: type[BaseModel] = Config) -> type:
    """The dataclass with the same fields, all mandatory: Hydra checks keys and types while it composes."""
    fields: list[tuple[str, Any, Any]] = []
    for name, info in settings.model_fields.items():
        if is_settings(info.annotation):
            inner = hydra_schema(info.annotation)
            fields.append((name, inner, field(default_factory=inner)))
        else:
            fields.append((name, _omegaconf_type(info.annotation), field(default="???")))  # omegaconf's MISSING
    return make_dataclass(settings.__name__, fields)


def _omegaconf_type(annotation: Any) -> Any:
    """OmegaConf knows neither Literal nor tuple: a string and a list stand for them."""
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        return list[hydra_schema(inner) if is_settings(inner) else inner]  # type: ignore[misc]
    if get_origin(annotation) is UnionType:  # something or null
        return _omegaconf_type(get_args(annotation)[0]) | None
    return annotation


def load(cfg: "DictConfig") -> Config:
    """The typed settings of a composed Hydra config, of the study it belongs to; here DictConfig ends."""
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationToMissingValueError

    try:
        study = FakingConfig if "scenario" in cfg else Config
        return study.model_validate(OmegaConf.to_container(_own_part(cfg), resolve=True))
    except InterpolationToMissingValueError as error:
        missing = str(error.msg).splitlines()[0].rpartition(": ")[2]
        raise ConfigError(f"{missing} has no value; add it to the command: {missing}=…") from error
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from error


def write_config(path: Path, config: Config) -> None:
    """Write settings as YAML, atomically: what a record was made with, for readers."""
    from omegaconf import OmegaConf

    with replacing(path) as file:
        OmegaConf.save(OmegaConf.create(config.model_dump(mode="json")), file)


def _own_part(cfg: "DictConfig") -> "DictConfig":
    """A config without Hydra's own settings; unlike a masked copy, it keeps the types of the schema."""
    from copy import copy

    from omegaconf import open_dict

    own = copy(cfg)
    with open_dict(own):
        own.pop("hydra", None)
    return own


def _sentence(error: ValidationError) -> str:
    """The first thing pydantic found, as one sentence."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict) else f"={first['input']}"
    return f"{name}{given}: {message} (python run.py --cfg job shows the settings)"


class Composer:
    """Composes cell after cell of a sweep, through Hydra once for each choice of config files.

    Hydra takes a tenth of a second a cell, minutes for a large sweep. The values on a command line (seed=43) are set
    after the files have been merged, by Hydra as well as here, so cells that differ in nothing else share the merge.
    """

    def __init__(self, through_hydra: Callable[[Sequence[str]], "DictConfig"]) -> None:
        self._through_hydra = through_hydra
        self._merged: dict[tuple[str, ...], DictConfig] = {}
        self._settings = set(classified_fields(FakingConfig))  # a key the first study lacks is Hydra's to refuse
        self._personas = {*read_personas().names, NONE}

    def __call__(self, overrides: Sequence[str]) -> Config:
        """The settings that these overrides make."""
        from copy import deepcopy

        from omegaconf import OmegaConf

        if not _is_plain(overrides):
            return load(self._through_hydra(overrides))
        values = {override: pair for override in overrides if (pair := self._as_value(override))}
        files = tuple(override for override in overrides if override not in values)
        if files not in self._merged:
            self._merged[files] = _own_part(self._through_hydra(files))
        cfg = deepcopy(self._merged[files])
        try:
            for key, value in values.values():
                OmegaConf.update(cfg, key, value)
        except Exception:  # Hydra says better what is wrong
            cfg = self._through_hydra(overrides)
        return load(cfg)

    def _as_value(self, override: str) -> tuple[str, Any] | None:
        """Key and value of an override that sets one of our settings; None for one that may choose a file."""
        key, equals, text = override.partition("=")
        if key == "source" and text in self._personas:
            return "source.name", text
        return (key, _parsed(override)) if equals and key in self._settings else None


def _is_plain(overrides: Sequence[str]) -> bool:
    """Whether the order of overrides cannot matter: each sets another key, and none adds, deletes or sets a group."""
    keys = ["source.name" if key == "source" else key for key in (one.partition("=")[0] for one in overrides)]
    special = [one for one in overrides if one.startswith(("+", "~")) or one.partition("=")[2].startswith("{")]
    return not special and len(set(keys)) == len(keys)


@lru_cache(maxsize=4096)
def _parsed(override: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(override).value()
