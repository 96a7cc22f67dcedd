"""Which primary config a command line means, where it names none."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakage.studies.study import Study

CONF = Path(__file__).parents[2] / "conf"
WITH_VALUE = {  # Hydra's flags that take the argument after them
    "--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd", "--package", "-p", "--cfg", "-c",
    "--experimental-rerun",
}  # fmt: skip


def with_primary_config(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra wants them, with the primary config of the study that they can only be meant for.

    A setting or a group that one study alone has tells which, on the command line or in the experiment it names.
    """
    ordered = _flags_first(arguments)
    if any(one.startswith(("--config-name", "-cn")) for one in ordered):
        return ordered
    pairs = [one.lstrip("+~").partition("=") for one in ordered if not one.startswith("-") and "=" in one]
    keys = [key for key, _, _ in pairs]
    for name in (value for key, _, value in pairs if key == "experiment"):
        keys += experiment_keys(name)
    study = study_of_keys(keys)
    return [f"--config-name={study.config}", *ordered] if study else ordered


def _flags_first(arguments: Sequence[str]) -> list[str]:
    """Hydra's argparse wants all overrides in one block: with a flag between them it would reject the second half."""
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        one = rest.pop(0)
        (flags if one.startswith("-") else overrides).append(one)
        if one in WITH_VALUE and rest:
            flags.append(rest.pop(0))
    return [*flags, *overrides]


def study_of_keys(keys: Iterable[str]) -> "Study | None":
    """The study, not the usual one, that alone has one of these settings or groups of settings."""
    from leakage.studies.registry import studies

    tops = {key.partition(".")[0] for key in keys}
    usual, *others = studies()
    known = set(usual.settings().model_fields)
    if not tops - known:
        return None
    for study in others:
        if tops & (set(study.settings().model_fields) - known):
            return study
    return None


def experiment_keys(name: str) -> list[str]:
    """The settings that an experiment's file sets, sweeps over, or chooses a file for; none where it cannot be read."""
    from omegaconf import OmegaConf

    try:
        content = OmegaConf.to_container(OmegaConf.load(CONF / "experiment" / f"{name}.yaml"))
    except Exception:  # gone, no YAML, another alphabet: Hydra says better what is wrong with it
        return []
    return list(_keys(content)) if isinstance(content, dict) else []


def _keys(content: dict[Any, Any]) -> Iterable[str]:
    for one in content.get("defaults") or []:
        if isinstance(one, dict):
            yield from (str(key).removeprefix("override ").lstrip("/ ").partition("@")[0] for key in one)
    hydra = content.get("hydra") or {}
    sweeper = hydra.get("sweeper") if isinstance(hydra, dict) else None
    params = sweeper.get("params") if isinstance(sweeper, dict) else None
    yield from (str(key) for key in params or {})
    yield from (str(key) for key in content if key not in {"defaults", "hydra"})
