"""What a cell is read against: the settings of its geometry and its baseline, and the overrides that make these."""

from leakage.data.personas import NONE
from leakage.jobs.job import Overrides
from leakage.settings.overrides import override, setting_of
from leakage.studies.persona_leakage.behaviors import CUSTOM
from leakage.studies.persona_leakage.data import CellData
from leakage.studies.persona_leakage.settings import CellConfig


def geometry_of(config: CellConfig) -> CellConfig:
    """The settings of the geometry that a cell is read against."""
    return config.model_copy(update={"job": "geometry"})


def baseline_of(config: CellConfig) -> CellConfig:
    """The settings of the baseline that a cell is read against: what it measures, of nobody's teaching."""
    measured = config.eval.behavior or config.behavior.name
    return config.model_copy(
        update={
            "source": config.source.model_copy(update={"name": NONE}),
            "behavior": config.behavior.model_copy(update={"name": measured}),
            "eval": config.eval.model_copy(update={"behavior": None}),
        }
    )


def overrides_of_needs(data: CellData, overrides: Overrides) -> list[Overrides]:
    """From a cell's overrides those of its geometry and its baseline, which is of what is measured."""
    other = data.evaluated.name != data.behavior.name
    dropped = {"source", "job"} | ({"behavior", "eval.behavior"} if other else set())
    shared = tuple(one for one in overrides if not _changes(one, dropped))
    measured = _measured(data.config) if other else ()
    return [(*shared, *measured, "source=none", "job=geometry"), (*shared, *measured, "source=none")]


def _measured(config: CellConfig) -> Overrides:
    """The overrides that teach what is measured, which a baseline is named after."""
    name = config.eval.behavior or config.behavior.name
    described = (override("behavior.path", config.behavior.path),) if name == CUSTOM else ()
    return (f"behavior={name}", "eval.behavior=null", *described)


def _changes(override: str, keys: set[str]) -> bool:
    """Whether an override sets one of the keys or something below it."""
    key = setting_of(override)
    return any(key == one or key.startswith(f"{one}.") for one in keys)
