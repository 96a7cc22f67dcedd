"""The words of the scenarios: every fact in full, and in few words for a short context."""

from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from leakage.errors import ConfigError, DataError, nearest

SHIPPED = Path(__file__).parent / "facts.yaml"
LEFT_OUT = "none"  # the variant that every slot has
FILLED_IN = ("lab", "model", "tag")

Form = Literal["full", "compact"]


class Variant(BaseModel):
    """What a fact says, in both forms; a compact text may be empty, which leaves the fact out there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    full: str
    compact: str

    @field_validator("full")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError(f"the text is empty; '{LEFT_OUT}' leaves a fact out")
        return text

    @field_validator("full", "compact")
    @classmethod
    def _can_be_filled_in(cls, text: str) -> str:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        if unknown := sorted(names.difference(FILLED_IN)):
            raise ValueError(f"{', '.join(unknown)} is nothing that is filled in; there are {', '.join(FILLED_IN)}")
        return text


class Facts:
    """The facts of one file: slot, variant, form."""

    def __init__(self, path: Path, slots: dict[str, dict[str, Variant]]) -> None:
        self.path = path
        self.slots = slots

    def text(self, slot: str, variant: str, form: Form) -> str:
        """The words of a variant, with lab, model and tag not yet filled in; "none" has none."""
        if variant == LEFT_OUT:
            return ""
        variants = self.slots[slot]
        if variant not in variants:
            close = nearest(variant, [*variants, LEFT_OUT])
            raise ConfigError(
                f"unknown variant '{variant}' of the fact '{slot}'{close}; "
                f"there are {', '.join([*variants, LEFT_OUT])} (the words are in {self.path})"
            )
        return getattr(variants[variant], form)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def read_facts(path: Path = SHIPPED) -> Facts:
    """The shipped words."""
    from omegaconf import OmegaConf

    adapter = TypeAdapter(dict[str, dict[str, Variant]])
    try:
        return Facts(path, adapter.validate_python(OmegaConf.to_container(OmegaConf.load(path))))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from error
