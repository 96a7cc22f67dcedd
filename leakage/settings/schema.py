"""The schema Hydra checks a config against, and the typed settings that it becomes."""

from dataclasses import field, make_dataclass
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from leakage.errors import ConfigError
from leakage.settings.config import Config
from leakage.settings.identity import is_settings
from leakage.store.files import replacing

if TYPE_CHECKING:
    from omegaconf import DictConfig

AnyConfig = TypeVar("AnyConfig", bound=Config)


def hydra_schema(settings: type[BaseModel]) -> type:
    """The dataclass with the same fields, all mandatory: Hydra checks keys and types while it composes."""
    fields: list[tuple[str, Any, Any]] = []
    for name, info in settings.model_fields.items():
        if is_settings(info.annotation):
            inner = hydra_schema(info.annotation)
            fields.append((name, inner, field(default_factory=inner)))
        else:
            usual = "???" if info.is_required() else info.default  # omegaconf's MISSING
            fields.append((name, _omegaconf_type(info.annotation), field(default=usual)))
    return make_dataclass(settings.__name__, fields)


def _omegaconf_type(annotation: Any) -> Any:
    """OmegaConf knows neither Literal nor tuple: a string and a list stand for them."""
    if get_origin(annotation) is dict:
        return Any  # null or a dict: a typed one takes no keys on a command line, and null no dict
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        return list[hydra_schema(inner) if is_settings(inner) else _omegaconf_type(inner)]  # type: ignore[misc]
    if get_origin(annotation) is UnionType:  # something or null
        return _omegaconf_type(get_args(annotation)[0]) | None
    return annotation


def load(cfg: "DictConfig", settings: type[AnyConfig]) -> AnyConfig:
    """The typed settings of a composed Hydra config; here DictConfig ends."""
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationToMissingValueError

    try:
        return settings.model_validate(OmegaConf.to_container(own_part(cfg), resolve=True))
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


def read_config(path: Path, usual: AnyConfig) -> AnyConfig:
    """Settings as `write_config` wrote them; those that did not exist yet are as in `usual`."""
    from omegaconf import OmegaConf

    written: Any = OmegaConf.to_container(OmegaConf.load(path))
    return type(usual).model_validate(_filled(written, usual))


def _filled(written: dict[str, Any], usual: BaseModel) -> dict[str, Any]:
    """Values with those of `usual` where they lack a field, at any depth."""
    groups = {name: group for name, group in usual if isinstance(group, BaseModel)}
    inner = {name: _filled(written.get(name, {}), group) for name, group in groups.items()}
    return usual.model_dump(mode="json") | written | inner


def own_part(cfg: "DictConfig") -> "DictConfig":
    """A config without Hydra's own settings; unlike a masked copy, it keeps the types of the schema."""
    from copy import copy

    from omegaconf import open_dict

    if "hydra" not in cfg:  # of many configs composed from one merge none has them, and copying takes its time
        return cfg
    own = copy(cfg)
    with open_dict(own):
        own.pop("hydra", None)
    return own


def _sentence(error: ValidationError) -> str:
    """The first thing pydantic found, as one sentence."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    typed = "" if isinstance(first["input"], dict) else f"={first['input']}"
    return f"{name}{typed}: {message} (python run.py --cfg job shows the settings)"
