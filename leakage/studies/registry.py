"""The studies there are. To add one, name its package here: its STUDY is all that the rest of the house asks for."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, nearest
from leakage.studies.study import Study

if TYPE_CHECKING:
    from leakage.jobs.job import Job
    from leakage.settings.config import Config

PACKAGES = (
    "leakage.studies.persona_leakage",
    "leakage.studies.alignment_faking",
)


@cache
def studies() -> tuple[Study, ...]:
    """Every study; the first is meant where none is named."""
    return tuple(import_module(package).STUDY for package in PACKAGES)


def study_named(name: str) -> Study:
    """The study that --study means."""
    by_name = {study.name: study for study in studies()}
    if name not in by_name:
        raise ConfigError(f"there is no study '{name}'{nearest(name, by_name)}; there are {', '.join(by_name)}")
    return by_name[name]


def study_of(keys: Iterable[str]) -> Study:
    """The study whose settings have just these keys at the top; a config of another shape is of the first."""
    shape = set(keys)
    return next((study for study in studies() if set(study.settings().model_fields) == shape), studies()[0])


def job_of(config: "Config") -> "Job":
    """The job that settings describe."""
    return study_of(type(config).model_fields).job(config)
