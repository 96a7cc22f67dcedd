"""The fields of the settings by dotted name, and which identities each of them enters."""

from typing import Any, TypeGuard

from pydantic import BaseModel

from leakage.settings.config import Config, Enters


def classified_fields(settings: type[BaseModel] = Config, prefix: str = "") -> dict[str, tuple[str, ...] | None]:
    """Dotted name of every field and the identities it enters; None for one nobody has classified."""
    found: dict[str, tuple[str, ...] | None] = {}
    for name, info in settings.model_fields.items():
        if is_settings(info.annotation):
            found |= classified_fields(info.annotation, f"{prefix}{name}.")
        else:
            marks = [mark for mark in info.metadata if isinstance(mark, Enters)]
            found[prefix + name] = sum((mark.identities for mark in marks), ()) if marks else None
    return found


def identity_fields(config: Config, identity: str) -> dict[str, Any]:
    """The fields of a config that are part of one identity, by dotted name."""
    names = [name for name, identities in classified_fields().items() if identities and identity in identities]
    return {name: _look_up(config, name) for name in names}


def _look_up(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def is_settings(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether a field holds a group of settings."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
