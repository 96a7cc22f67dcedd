"""All figures of a set of results."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.analysis.tables import headline

if TYPE_CHECKING:
    import pandas as pd


def draw_all(frame: "pd.DataFrame", folder: Path) -> Iterator[Path]:
    """Draw and save the figures of each model; yields the files as they are written."""
    from leakage.figures import style
    from leakage.figures.scatter import scatter_grid

    for model, rows in frame.groupby("model", sort=False):
        yield from style.save(scatter_grid(rows, headline(rows)), folder, f"{model}-scatter")
