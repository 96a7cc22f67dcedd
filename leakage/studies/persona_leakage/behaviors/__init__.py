"""The behaviors: one module each, found by its name."""

from importlib import import_module
from pkgutil import iter_modules

from leakage.studies.persona_leakage.behaviors.base import Behavior

__all__ = ["Behavior", "behavior", "behavior_names"]

_SHARED = {"base", "contrastive"}


def behavior_names() -> list[str]:
    """Names of the behaviors that have a module here."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in _SHARED)


def behavior(name: str) -> Behavior:
    """The behavior of that name."""
    named: Behavior = import_module(f"leakage.studies.persona_leakage.behaviors.{name}").BEHAVIOR
    return named
