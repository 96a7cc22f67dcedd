"""Which identities each field of the settings enters: what can change a result, by dotted name."""

from functools import cache
from typing import Any, TypeGuard

from pydantic import BaseModel

from leakage.settings.config import Config
from leakage.settings.marks import Enters


def classified_fields(settings: type[BaseModel]) -> dict[str, tuple[str, ...] | None]:
    """Dotted name of every field and the identities it enters; None for one nobody has classified."""
    fields = _marked_fields(settings)
    return {name: sum((mark.identities for mark in marks), ()) if marks else None for name, marks in fields.items()}


@cache
def _marked_fields(settings: type[BaseModel], prefix: str = "") -> dict[str, list[Enters]]:
    fields: dict[str, list[Enters]] = {}
    for name, info in settings.model_fields.items():
        if is_settings(info.annotation):
            fields |= _marked_fields(info.annotation, f"{prefix}{name}.")
        else:
            fields[prefix + name] = [mark for mark in info.metadata if isinstance(mark, Enters)]
    return fields


def identity_fields(config: Config, identity: str) -> dict[str, Any]:
    """The fields of a config that are part of one identity, by dotted name."""
    values: dict[str, Any] = {}
    for name, marks in _marked_fields(type(config)).items():
        usual = [mark.usual for mark in marks if identity in mark.identities]
        if usual and (value := _look_up(config, name)) not in usual:
            values[name] = value
    return values


def engine_identity(config: Config) -> dict[str, str]:
    """The engine where its numbers are its own; nothing for those that give the same ones."""
    return {"eval.engine": config.eval.engine} if config.eval.engine == "vllm" else {}


def _look_up(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def is_settings(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether a field holds a group of settings."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
