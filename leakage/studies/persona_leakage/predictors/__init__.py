"""Predictors of leakage: one module each, found by its name; asked before anything is trained."""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from leakage.errors import ConfigError
from leakage.studies.persona_leakage.predictors.base import Predictor, Values

__all__ = ["Predictor", "Values", "predictor", "predictor_names", "refuse_unknown"]

_SHARED = {"base", "columns", "probe"}


def predictor_names() -> list[str]:
    """Names of the predictors that have a module here."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in _SHARED)


def predictor(name: str) -> Predictor:
    """The predictor of that name."""
    named: Predictor = import_module(f"leakage.studies.persona_leakage.predictors.{name}").PREDICTOR
    return named


def refuse_unknown(chosen: Sequence[str] | None) -> None:
    """Where a setting names none, or one that is not there."""
    there = predictor_names()
    if chosen is not None and (not chosen or not set(chosen) <= set(there)):
        raise ConfigError(
            f"predictors=[{','.join(chosen)}]: name some of {', '.join(there)}, in brackets and quotes, as in "
            "'predictors=[cosine,margin]'; null = all"
        )
