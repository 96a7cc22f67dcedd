"""A text of the user's as a Hydra override: what is composed of it is that text, whatever signs are in it."""

import re

from leakage.errors import ConfigError


def override(key: str, value: object) -> str:
    """`key="value"`, so that Hydra's grammar reads no list, no sweep and no number in it, and OmegaConf no `${`."""
    from hydra.core.override_parser.types import Quote, QuotedString

    text = str(value)
    if text == "???":  # OmegaConf's word for a value that is missing, which nothing escapes
        raise ConfigError(f"{key}=???: Hydra takes this name for a missing value; name another")
    return f"{key}={QuotedString(_uninterpolated(text), Quote.double).with_quotes()}"


def setting_of(override: str) -> str:
    """The setting that an override changes: lora.r of +lora.r=8."""
    return override.lstrip("+~").partition("=")[0]


def _uninterpolated(text: str) -> str:
    r"""The text with every `${` escaped; a backslash counts as one only before `${`, and is doubled there."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
