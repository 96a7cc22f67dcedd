"""Composing the settings of many jobs fast: through Hydra once for each choice of config files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from leakage.settings.config import Config
from leakage.settings.identity import classified_fields
from leakage.settings.schema import load, own_part

if TYPE_CHECKING:
    from omegaconf import DictConfig

ThroughHydra = Callable[[Sequence[str]], "DictConfig"]


@dataclass(frozen=True)
class Option:
    """A config group without files: to choose one of its values sets one key."""

    key: str
    values: frozenset[str]


Options = Mapping[str, Option]


class Composer:
    """Composes cell after cell of a sweep, through Hydra once for each choice of config files.

    Hydra takes a tenth of a second a cell, minutes for a large sweep. The values on a command line (seed=43) are set
    after the files have been merged, by Hydra as well as here, so cells that differ in nothing else share the merge.
    """

    def __init__(self, through_hydra: ThroughHydra, settings: type[Config], options: Options) -> None:
        self._through_hydra, self._settings, self._options = through_hydra, settings, options
        self._keys = set(classified_fields(settings))  # any other key is Hydra's to refuse
        self._merged: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, overrides: Sequence[str]) -> Config:
        """The settings that these overrides make."""
        from copy import deepcopy

        from omegaconf import OmegaConf

        if not _is_plain(overrides, self._options):
            return self._load(self._through_hydra(overrides))
        values = {override: pair for override in overrides if (pair := self._as_value(override))}
        files = tuple(override for override in overrides if override not in values)
        if files not in self._merged:
            self._merged[files] = own_part(self._through_hydra(files))
        cfg = deepcopy(self._merged[files])
        try:
            for key, value in values.values():
                OmegaConf.update(cfg, key, value)
        except Exception:  # Hydra says better what is wrong
            cfg = self._through_hydra(overrides)
        return self._load(cfg)

    def _as_value(self, override: str) -> tuple[str, Any] | None:
        """Key and value of an override that sets one of our settings; None for one that may choose a file."""
        key, equals, text = override.partition("=")
        option = self._options.get(key)
        if option and text in option.values:
            return option.key, text
        return (key, _parsed(override)) if equals and key in self._keys else None

    def _load(self, cfg: "DictConfig") -> Config:
        return load(cfg, self._settings)


def _is_plain(overrides: Sequence[str], options: Options) -> bool:
    """Whether the order of overrides cannot matter: each sets another key, and none adds, deletes or sets a group."""
    typed = [one.partition("=")[0] for one in overrides]
    keys = [options[key].key if key in options else key for key in typed]
    special = [one for one in overrides if one.startswith(("+", "~")) or one.partition("=")[2].startswith("{")]
    return not special and len(set(keys)) == len(keys)


@lru_cache(maxsize=4096)
def _parsed(override: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(override).value()
