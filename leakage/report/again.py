"""How a finished job is run again: the overrides that make its very settings of the usual ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from leakage.errors import ConfigError
from leakage.report.commands import changed, setting
from leakage.settings.schema import read_config

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from leakage.settings.config import Config

    Compose = Callable[[Sequence[str]], Config]

CONFIG = "config.yaml"


@dataclass(frozen=True)
class Usual:
    """The settings that overrides make, each composed once: that takes a tenth of a second, and cells share them."""

    compose: Compose
    _made: dict[tuple[str, ...], Config] = field(default_factory=dict)
    _read: dict[str, Config | None] = field(default_factory=dict)

    def of(self, overrides: Sequence[str]) -> Config:
        """The settings."""
        key = tuple(overrides)
        if key not in self._made:
            self._made[key] = self.compose(overrides)
        return self._made[key]

    def fits(self, overrides: Sequence[str], is_right: Callable[[Config], bool]) -> bool:
        """Whether the overrides name files that there are, and make settings that are right."""
        from hydra.errors import HydraException

        try:
            return is_right(self.of(overrides))
        except (HydraException, ConfigError):
            return False

    def written(self, folder: Path, chosen: Sequence[str], but: re.Pattern[str]) -> Config | None:
        """The settings that a record was made with; None where it does not tell, or tells what there is no more.

        but: lines in which they may be those of another record, since no override follows from them: reading a file
        takes .08 s, and a thousand cells differ in little else
        """
        file = folder / CONFIG
        if not file.is_file() or not self.fits(chosen, lambda _: True):
            return None
        text = but.sub("", file.read_text())
        if text not in self._read:
            try:
                self._read[text] = read_config(file, self.of(chosen))
            except ValidationError:
                self._read[text] = None
        return self._read[text]

    def rest(self, written: Config, chosen: Sequence[str], *, but: Iterable[str]) -> tuple[str, ...]:
        """What has to be said beside the choices for the written settings: the model, and whatever is not as usual.

        but: keys that are chosen
        """
        model = self.model(written, chosen)
        return (*model, *changed(written, self.of([*chosen, *model]), but=but))

    def model(self, written: Config, chosen: Sequence[str]) -> tuple[str, ...]:
        """The model's file, where it is not the usual one; for one without a file its place."""
        name, place = written.model.name, ("model=hf", setting("model.path", written.model.path))
        for model in ((), (f"model={name}",)):
            if self.fits([*chosen, *model], lambda config: config.model.name == name):
                return model
        return place
