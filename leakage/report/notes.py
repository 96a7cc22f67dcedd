"""The small print of the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

NANO = "nano is a test bed for the instrument, not evidence about language models"


def small_print(table: pd.DataFrame, *lines: str, variant: str = "") -> list[str]:
    """The small print: settings that are not the usual ones, the given lines, what a model's results are worth."""
    warning = [NANO] if (table["model"] == "nano").any() else []
    settings = [f"settings: {variant}"] if variant else []
    return [*settings, *filter(None, lines), *warning]
