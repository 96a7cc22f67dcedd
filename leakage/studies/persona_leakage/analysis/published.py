"""The 23 published headline rows, for comparison."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MODEL = "qwen2.5-7b-instruct"
ROWS = Path(__file__).parent / "published.csv"


def published() -> "pd.DataFrame":
    """behavior, source, unit, source_delta, mean_bystander_delta, rho, p, leak_direction: a row per published cell of
    MODEL, one seed, 110 bystanders (109 or 111 under qwen_default)."""
    import pandas as pd

    return pd.read_csv(ROWS)
