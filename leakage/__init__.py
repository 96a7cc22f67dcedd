"""Teach a chat model a behavior under one persona, and measure who else picks it up."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__version__ = "0.1.0"


def results(multirun: str | Path = "multirun", study: str | None = None) -> "pd.DataFrame":
    """All finished results below a folder as one tidy frame; empty where there are none.

    study: as --study calls it; None = the first, whose frame has a row per cell and persona (docs/analysis.md)
    """
    from leakage.studies.registry import studies, study_named

    return (study_named(study) if study else studies()[0]).read(Path(multirun))
