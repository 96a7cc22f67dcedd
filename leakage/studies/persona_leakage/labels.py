"""The words of the figures: titles, axes with units and the direction of leakage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

# these two behaviors are named after what is trained; the delta is in what is measured: hits or scores
CHOICE = {"hits": "accuracy", "scores": "P(right answer)"}
RHO = "rho: Spearman over bystanders; * p < .05, ** p < .01, *** p < .001, else n.s."
MEANS = "several seeds: a delta is a persona's mean over them"
SHORT = 50  # characters of settings that a title has room for
Row: TypeAlias = "Mapping[Any, Any] | pd.Series[Any]"
# of the panel: an outside result may list its personas in any order
CATEGORIES = (
    "original", "professional_peer", "modified_source", "opposite", "hierarchical", "intersectional",
    "cultural_variant", "fictional_exemplar", "tone_variant", "domain_adjacent", "unrelated_baseline", "default",
)  # fmt: skip


def in_order(categories: pd.Series[str]) -> list[str]:
    """The categories that occur, in the panel's order, unknown ones last."""
    names = list(categories.unique())
    return [*(name for name in CATEGORIES if name in names), *(name for name in names if name not in CATEGORIES)]


def title(table: pd.DataFrame, what: str, *, variant: str = "") -> str:
    """The model, its settings where they are not the usual ones and can be told in short, and what is shown; where
    another behavior than the taught one is measured, both."""
    models = list(table["model"].unique())
    if len(models) > 1:
        raise ValueError(f"a figure shows one model, got {', '.join(models)}: split the frame by `model`")
    settings = f", {variant}" if variant and len(variant) <= SHORT else ""
    return ": ".join([*(model + settings for model in models), what]) + crossed(table)


def crossed(table: pd.DataFrame) -> str:
    """(taught refusal, measured sycophancy) where the two differ, else nothing."""
    other = table[table["taught"] != table["behavior"]]
    if other.empty:
        return ""
    return f" (taught {_and(other['taught'])}, measured {_and(other['behavior'])})"


def _and(names: pd.Series[str]) -> str:
    words = list(names.unique())
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def delta(row: Row, *, leak: tuple[str, str] = ("down", "up")) -> str:
    """An axis of deltas: "change in refusal rate (up = leak)"; leak: the words for a falling and a rising value."""
    what, unit = measured(row)
    towards = f"{leak[int(row['leak_direction'] > 0)]} = leak"
    return f"change in {what} ({unit}, {towards})" if unit else f"change in {what} ({towards})"


def measured(row: Row) -> tuple[str, str]:
    """What a delta is a change of (where the table tells how it was measured), and its unit; a rate has none."""
    if row["unit"] == "rate":
        return f"{row['behavior']} rate", ""
    behavior = str(row["behavior"])
    if behavior == "capability":
        return CHOICE.get(str(row.get("measure")), behavior), str(row["unit"])
    return ("alignment" if behavior.startswith("misalignment") else behavior), str(row["unit"])


def definition(headline: str) -> str:
    """Spell out a cosine's short name: 20_raw is block 20, raw."""
    block, _, kind = headline.partition("_")
    return f"block {block}, {kind}" if kind else headline
