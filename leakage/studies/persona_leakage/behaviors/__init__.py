"""The behaviors: one module each, found by its name; and one that a file of the user's describes."""

from importlib import import_module
from pkgutil import iter_modules

from leakage.errors import ConfigError
from leakage.studies.persona_leakage.behaviors.base import Behavior
from leakage.studies.persona_leakage.behaviors.custom import CUSTOM, read_behavior

__all__ = ["CUSTOM", "Behavior", "behavior", "behavior_names"]

_SHARED = {"base", "contrastive", CUSTOM}


def behavior_names() -> list[str]:
    """Names of the behaviors that have a module here."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in _SHARED)


def behavior(name: str, path: str | None = None) -> Behavior:
    """The behavior of that name; "custom" is the one that the file of that path describes."""
    if name != CUSTOM:
        named: Behavior = import_module(f"leakage.studies.persona_leakage.behaviors.{name}").BEHAVIOR
        return named
    if path is None:
        raise ConfigError("behavior=custom is what a file of yours describes; name it: behavior.path=mine.yaml")
    described = read_behavior(path)
    if described.name in (*behavior_names(), CUSTOM):
        raise ConfigError(f"behavior.path={path}: {described.name} is taken; give your behavior another name")
    return described
