"""What contexts of other kinds show: which spread a behavior, and whether i takes it from j as j does from i."""

from collections.abc import Iterator
from math import sqrt
from typing import TYPE_CHECKING, Any

from leakage.analysis.resampling import interval_of_mean
from leakage.analysis.statistics import NAN, Interval, mean_known
from leakage.studies.persona_leakage.analysis.cells import CELL, GRID, bystanders
from leakage.studies.persona_leakage.by_prompt import table_of
from leakage.studies.persona_leakage.results import PERSONA

if TYPE_CHECKING:
    import pandas as pd

KINDS = (*CELL, "unit", "kind", "n", "mean_delta", "mean_low", "mean_high", "mean_cosine")
PAIRS = (
    *GRID, "unit", "source", "other", "delta_of_other", "delta_of_source", "difference", "difference_low",
    "difference_high", "cosine",
)  # fmt: skip
NORMAL = 1.96  # a 95 % interval, in standard errors
COUNTS = ("base_k", "base_n", "base_sd", "k", "n", "sd")


def by_context(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell and kind of context: how much its bystanders of that kind changed. No rows where all are personas.

    mean_low, mean_high: interval of the mean delta by Student's t
    """
    import pandas as pd

    kinds = frame["kind"].dropna() if "kind" in frame else pd.Series(dtype=str)
    if set(kinds) <= {PERSONA}:
        return pd.DataFrame(columns=list(KINDS))
    rows = []
    for key, one in bystanders(frame).groupby([*CELL, "unit", "kind"], sort=False):
        changes = table_of(one["delta_by_prompt"])
        reach = interval_of_mean(one["delta"].to_numpy(float) if changes is None else changes)
        means = {"mean_delta": mean_known(one["delta"]), "mean_cosine": mean_known(one["cosine"])}
        named = dict(zip([*CELL, "unit", "kind"], key, strict=True))
        rows.append(named | {"n": len(one), "mean_low": reach.low, "mean_high": reach.high} | means)
    return pd.DataFrame(rows, columns=list(KINDS))


def asymmetry(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a pair of sources: how much the other took up when the source was taught, and the other way round.

    The default's pairs come first, with the default as the source. difference: delta_of_other - delta_of_source, which
    no similarity can tell, as that is the same both ways; its interval is by prompts where these are few, else by
    answers.
    """
    import pandas as pd

    rows = [
        dict(zip(GRID, key, strict=True)) | pair
        for key, grid in frame.groupby(GRID, sort=False)
        for pair in _pairs(grid)
    ]
    return pd.DataFrame(rows, columns=list(PAIRS))


def _pairs(grid: "pd.DataFrame") -> Iterator[dict[str, Any]]:
    """Of the cells of a grid; where a source has two, which no column tells apart, the last of them counts."""
    taught = grid[grid["is_source"].astype(bool)].drop_duplicates("source")
    sources = taught.sort_values("in_panel", kind="stable")["source"].tolist()
    rows = {(row["source"], row["persona"]): row for row in grid[grid["persona"].isin(sources)].to_dict("records")}
    for place, source in enumerate(sources):
        for other in sources[place + 1 :]:
            forth, back = rows.get((source, other)), rows.get((other, source))
            if forth and back and forth["delta"] == forth["delta"] and back["delta"] == back["delta"]:
                yield {"source": source, "other": other, "unit": forth["unit"]} | _compared(forth, back)


def _compared(forth: dict[Any, Any], back: dict[Any, Any]) -> dict[str, float]:
    reach = _reach(forth, back)
    return {
        "delta_of_other": forth["delta"],
        "delta_of_source": back["delta"],
        "difference": forth["delta"] - back["delta"],
        "difference_low": reach.low,
        "difference_high": reach.high,
        "cosine": forth["cosine"],
    }


def _reach(forth: dict[Any, Any], back: dict[Any, Any]) -> Interval:
    """95 % interval of the difference; both were asked the same prompts."""
    by_prompt = table_of([str(one.get("delta_by_prompt") or "") for one in (forth, back)])
    if by_prompt is not None and by_prompt.shape[1] > 1:
        return interval_of_mean(by_prompt[0] - by_prompt[1])
    if not all(name in one for one in (forth, back) for name in COUNTS):
        return Interval(NAN, NAN)
    error = sqrt(sum(_variance(one, when) for one in (forth, back) for when in ("base_", "")))
    difference = forth["delta"] - back["delta"]
    return Interval(difference - NORMAL * error, difference + NORMAL * error)


def _variance(row: dict[Any, Any], when: str) -> float:
    """Of a level before ("base_") or after, in the delta's unit, squared."""
    k, n, sd = (float(row[f"{when}{name}"]) for name in ("k", "n", "sd"))
    if row["measure"] != "hits":
        return sd**2 / n
    share, scale = (k + 0.5) / (n + 1), 1.0 if row["unit"] == "rate" else 100.0
    return scale**2 * share * (1 - share) / n
