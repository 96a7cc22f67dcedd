"""Predictors of leakage: one module each, found by its name; asked before anything is trained."""

from importlib import import_module
from pkgutil import iter_modules

from leakage.studies.persona_leakage.predictors.base import Predictor, Values

__all__ = ["Predictor", "Values", "predictor", "predictor_names"]

_SHARED = {"base", "columns", "probe"}


def predictor_names() -> list[str]:
    """Names of the predictors that have a module here."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in _SHARED)


def predictor(name: str) -> Predictor:
    """The predictor of that name."""
    named: Predictor = import_module(f"leakage.studies.persona_leakage.predictors.{name}").PREDICTOR
    return named
