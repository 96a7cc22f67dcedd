"""Which identities each field of the settings enters: what can change a result, by dotted name."""

from functools import cache
from typing import Any, TypeGuard

from pydantic import BaseModel

from leakage.settings.config import Config, Enters


@cache
def classified_fields(settings: type[BaseModel], prefix: str = "") -> dict[str, tuple[str, ...] | None]:
    """Dotted name of every field and the identities it enters; None for one nobody has classified."""
    fields: dict[str, tuple[str, ...] | None] = {}
    for name, info in settings.model_fields.items():
        if is_settings(info.annotation):
            fields |= classified_fields(info.annotation, f"{prefix}{name}.")
        else:
            marks = [mark for mark in info.metadata if isinstance(mark, Enters)]
            fields[prefix + name] = sum((mark.identities for mark in marks), ()) if marks else None
    return fields


def identity_fields(config: Config, identity: str) -> dict[str, Any]:
    """The fields of a config that are part of one identity, by dotted name."""
    fields = classified_fields(type(config))
    return {name: _look_up(config, name) for name, identities in fields.items() if identity in (identities or ())}


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
