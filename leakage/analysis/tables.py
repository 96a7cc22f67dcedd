"""The headline table, and the forms it can be printed in."""

from typing import TYPE_CHECKING, Literal

from leakage.analysis.statistics import spearman

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["model", "behavior", "source", "seed", "variant", "train_id", "eval_id"]
HEADLINE = (
    "model", "behavior", "source", "seed", "n", "source_delta", "mean_bystander_delta", "rho", "p", "leak_direction",
    "variant",
    "unit", "cosine", "trained_negatives", "rho_untrained", "p_untrained", "train_id", "eval_id",
)  # fmt: skip


def headline(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell, over its bystanders: the personas of the panel other than the source.

    variant: how the cell's settings differ from the commonest ones of its model and behavior.
    rho: Spearman between delta and the fixed cosine; leak_direction: the sign it has if the behavior leaks.
    The trained negatives count as bystanders, as published; *_untrained leaves them out.
    """
    import pandas as pd

    rows = [_row(dict(zip(KEYS, key, strict=True)), cell) for key, cell in frame.groupby(KEYS, sort=False)]
    return pd.DataFrame(rows, columns=list(HEADLINE))


def _row(key: "dict[str, object]", cell: "pd.DataFrame") -> "dict[str, object]":
    bystanders = cell[cell["in_panel"] & ~cell["is_source"]]
    untrained = bystanders[~bystanders["trained_negative"]]
    everyone = spearman(bystanders["cosine"], bystanders["delta"])
    fewer = spearman(untrained["cosine"], untrained["delta"])
    return key | {
        "n": len(bystanders),
        "source_delta": cell.loc[cell["is_source"], "delta"].mean(),
        "mean_bystander_delta": bystanders["delta"].mean(),
        "rho": everyone.rho,
        "p": everyone.p,
        "leak_direction": int(cell["leak_direction"].iloc[0]),
        "unit": cell["unit"].iloc[0],
        "cosine": cell["headline"].iloc[0],
        "trained_negatives": int(bystanders["trained_negative"].sum()),
        "rho_untrained": fewer.rho,
        "p_untrained": fewer.p,
    }


def as_csv(table: "pd.DataFrame") -> str:
    """Comma-separated, full precision."""
    return str(table.to_csv(index=False))


def as_markdown(table: "pd.DataFrame") -> str:
    """A Markdown table, rounded for reading."""
    shown = readable(table)
    lines = ["| " + " | ".join(row) + " |" for row in [list(shown.columns), ["---"] * shown.shape[1]]]
    lines += ["| " + " | ".join(row) + " |" for row in shown.to_numpy().tolist()]
    return "\n".join(lines) + "\n"


def readable(table: "pd.DataFrame") -> "pd.DataFrame":
    """Every value as text: signs on deltas and rhos, two digits of p, an empty cell for a missing value."""
    import pandas as pd

    signed = ("delta", "rho", "leak_direction")
    columns: dict[str, list[str]] = {}
    for name in table.columns:
        style = "+.3f" if any(word in name for word in signed) else ".1e" if name.startswith("p") else ""
        style = "+d" if name == "leak_direction" else style
        columns[name] = ["" if pd.isna(value) else format(value, style) for value in table[name]]
    return pd.DataFrame(columns)


def print_rich(table: "pd.DataFrame") -> None:
    """The columns that matter most, for a terminal; md and csv have them all."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    shown = readable(table[list(HEADLINE[: HEADLINE.index("unit")])])
    shown = shown if table["variant"].any() else shown.drop(columns="variant")
    grid = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in shown.columns:
        justify: Literal["left", "right"] = "left" if name in {"model", "behavior", "source", "variant"} else "right"
        width = 44 if name == "variant" else None
        grid.add_column(name.replace("_", "\n"), justify=justify, no_wrap=width is None, max_width=width)
    for row in shown.to_numpy().tolist():
        grid.add_row(*row)
    console = Console()
    wide = console.options.update(max_width=1000)
    needed = Measurement.get(console, wide, grid).maximum  # a narrow terminal wraps lines; numbers are never cut
    Console(width=max(console.width, needed)).print(grid)
