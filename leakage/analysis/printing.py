"""The forms a table can be printed in."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

TEXTS = {
    "model", "behavior", "source", "unit", "taught", "variant", "judge", "other", "category", "cosine", "finding",
    "rival", "persona", "cosine_to", "delta_of", "design", "subject", "scenario", "tiers", "rates", "gap_name", "tier",
    "hypothesis", "reason", "motive", "arm", "predictor", "kind",
}  # fmt: skip
SIGNED = ("rho", "kappa", "mean_cosine", "gap", "difference", "agreement")  # in a column's name
DELTAS = {"expected", "residual", "mean_residual", "mean_low", "mean_high", "residual_low", "residual_high"}
SHARES = {
    "dose", "breadth", "breadth_margin", "kept", "removed", "ties", "detectable", "right", "reliability",
    "reliability_binomial", "ceiling", "at_bound", "source_at_bound",
}  # fmt: skip


def as_csv(table: "pd.DataFrame") -> str:
    """Comma-separated, full precision."""
    return str(table.to_csv(index=False))


def as_markdown(table: "pd.DataFrame") -> str:
    """A Markdown table, rounded for reading."""
    shown = readable(table)
    rows = [[" ".join(text.split()).replace("|", "\\|") for text in row] for row in shown.to_numpy().tolist()]
    lines = ["| " + " | ".join(row) + " |" for row in [list(shown.columns), ["---"] * shown.shape[1], *rows]]
    return "\n".join(lines) + "\n"


def readable(table: "pd.DataFrame") -> "pd.DataFrame":
    """Every value as text: signs on deltas and rhos, digits by their unit, an empty cell for a missing value."""
    import pandas as pd

    rates = table["unit"] == "rate" if "unit" in table else [True] * len(table)
    deltas = ["+.3f" if rate else "+.1f" for rate in rates]
    columns: dict[str, list[str]] = {}
    for name in table.columns:
        styles = (
            deltas if name.endswith("delta") or name in DELTAS else [_style(name) or _digits(table[name])] * len(table)
        )
        if name == "cosine" and table[name].dtype == float:  # elsewhere the name of its definition
            styles = ["+.3f"] * len(table)
        columns[name] = [
            "" if pd.isna(value) else value if isinstance(value, str) else format(value, one)
            for value, one in zip(table[name], styles, strict=True)
        ]
    return pd.DataFrame(columns)


def _digits(column: "pd.Series[float]") -> str:
    """Of numbers that nobody has named a style for: none behind the point where all are whole, as steps are."""
    if column.dtype.kind != "f":
        return ""
    return ".0f" if (column.dropna() % 1 == 0).all() else ".2f"


def _style(name: str) -> str:
    if name in {"p", "q"} or name.startswith("p_"):
        return ".1e"
    if any(part in name for part in SIGNED) and name != "gaps":
        return "+.3f"
    if name.endswith("_margin") and name != "breadth_margin":
        return "+.3f"
    if name.startswith(("af_", "share_", "missing_")):
        return ".3f"
    styles = {"leak_direction": "+d", "n_partial": ".0f", "score": "+.1f", "missing": ".0f", "trained_negatives": ".0f"}
    styles |= dict.fromkeys(SHARES, ".2f") | dict.fromkeys(("expected_low", "expected_high"), "+.3f")
    styles |= {
        "weight": ".2f",
        "positive": ".0f",
        "better": ".0f",
        "sigma": ".3f",
        "sd": ".3f",
        "share": ".3f",
        "auroc": ".3f",
        "low": ".3f",
        "high": ".3f",
    }
    return styles.get(name, "")


def print_rich(shown: "pd.DataFrame") -> None:
    """Print a table of texts; a narrow terminal wraps its lines, numbers are never cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    grid = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in shown.columns:
        width = 44 if name == "variant" else None
        justify: Literal["left", "right"] = "left" if name in TEXTS else "right"
        grid.add_column(name.replace("_", "\n"), justify=justify, no_wrap=width is None, max_width=width)
    for row in shown.to_numpy().tolist():
        grid.add_row(*row)
    console = Console()
    wide = console.options.update(max_width=1000)
    needed = Measurement.get(console, wide, grid).maximum
    Console(width=max(console.width, needed)).print(grid)
