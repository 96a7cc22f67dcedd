"""What a cell's page tells beside its scatter: training data, where everything came from, the controls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from leakage.report.pages import records
from leakage.report.provenance import came_from
from leakage.report.wording import is_known
from leakage.studies.persona_leakage.outcome import OF_CELL

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from leakage.store.artifact import Part
    from leakage.studies.persona_leakage.artifacts import Artifacts
    from leakage.studies.persona_leakage.report.cells import Cell

MOST_KINDS = 8  # of each behavior; `table --by category` has all
SHOWN = 3  # examples of each role
ROLES = {  # a sham shuffles the personas, so that a role says what is taught and not to whom
    "source": "Examples of the behavior",
    "bystander": "Examples of the opposite, under bystanders",
    "no_persona": "Examples of the opposite, without a persona",
    "anchor": "Examples of the opposite, anchors",
}
OF_ROWS = {  # given row by row, whose answers may be what they like
    "source": "Rows under the source",
    "bystander": "Rows under other personas",
    "no_persona": "Rows without a system turn",
    "other": "Rows under system prompts of no persona",
}


def training_data(artifacts: Artifacts) -> list[dict[str, Any]]:
    """Of each role in the training data: how many examples, of whom, and the first few."""
    names = OF_ROWS if "data.training" in artifacts.facts["settings"] else ROLES
    by_role: dict[str, list[dict[str, Any]]] = {}
    for example in artifacts.examples():
        by_role.setdefault(str(example["role"]), []).append(example)
    return [
        {
            "role": names.get(role, role),
            "count": len(examples),
            "personas": Counter(str(one["persona"] or "no persona") for one in examples).most_common(),
            "examples": examples[:SHOWN],
        }
        for role, examples in by_role.items()
    ]


def provenance(parts: dict[str, Part], multirun: Path) -> list[dict[str, Any]]:
    """A row a record: what it holds, its folder below the results, its id, when, how long, on what, from which code."""
    return [came_from(name, part, multirun) for name, part in parts.items()]


def controls(cell: Cell, tables: dict[str, pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the controls' tables, and of the forecasts', that belong to a cell."""
    row = cell.row
    grid = {name: row[name] for name in ("model", "taught", "behavior", "seed", "judge", "variant")}
    one = {name: row[name] for name in ("model", "taught", "behavior", "source", "judge", "variant")}
    seeds = [found for found in _where(tables["seeds"], one) if found["seeds"] > 1]
    mine = grid | {"source": row["source"], "train_id": row["train_id"], "eval_id": row["eval_id"]}
    return {
        "mismatched": sorted(_where(tables["mismatched"], grid | {"delta_of": row["source"]}), key=_own_first),
        "designs": _where(tables["designs"], mine),
        "seeds": seeds,
        "outliers": _where(tables["outliers"], mine),
        "forecasts": _where(tables["forecasts"], mine),
    }


def dosed(cell: Cell) -> dict[str, Any] | None:
    """Where a dose ended the training: until, dose, steps; None where nothing was measured along it."""
    first = cell.rows.iloc[0]
    return {name: first[name] for name in OF_CELL} if is_known(first.get("dose")) else None


def _own_first(row: dict[str, Any]) -> bool:
    return not row["matched"]


def tables(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of the analysis that the pages quote, made once for all cells."""
    from leakage.studies.persona_leakage.analysis.combination import fixed_columns
    from leakage.studies.persona_leakage.analysis.controls import against_designs, between_sources, mismatched
    from leakage.studies.persona_leakage.analysis.kinds import by_kind
    from leakage.studies.persona_leakage.analysis.outliers import outliers
    from leakage.studies.persona_leakage.analysis.pooled import pooled
    from leakage.studies.persona_leakage.analysis.race import by_forecast, by_predictor
    from leakage.studies.persona_leakage.analysis.seeds import by_seed

    return {
        "mismatched": mismatched(frame),
        "between": between_sources(frame),
        "designs": against_designs(frame),
        "seeds": by_seed(frame),
        "outliers": outliers(frame),
        "pooled": pooled(frame),
        "kinds": by_kind(frame),
        "race": by_predictor(frame if len(fixed_columns(frame)) > 1 else frame.iloc[:0]),
        "forecasts": by_forecast(frame),
    }


def together(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """All sources of a behavior together, the kinds of persona that add to similarity, and what tells rows apart."""
    from leakage.studies.persona_leakage.analysis.cells import GRID
    from leakage.studies.persona_leakage.analysis.tables import LEVEL

    several = tables["pooled"][tables["pooled"]["sources"] > 1]
    kinds = tables["kinds"].merge(several[GRID], on=GRID)
    telling = kinds[kinds["q"] < LEVEL]
    telling = telling.loc[telling["mean_residual"].abs().sort_values(ascending=False, kind="stable").index]
    return {
        "pooled": records(several.merge(kinds[[*GRID, "p_any"]].drop_duplicates(), on=GRID, how="left")),
        "kinds": records(telling.groupby(GRID, sort=False).head(MOST_KINDS)),
        "pooled_keys": [name for name in GRID if name != "behavior" and _tells(tables["pooled"], name)],
    }


def raced(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The predictors of each model and seed, those that were explored left out, and sealed forecasts."""
    from leakage.studies.persona_leakage.analysis.race import GROUP

    several = tables["race"][tables["race"]["kind"] != "explored"]
    return {
        "race": records(several),
        "race_keys": [name for name in GROUP if several[name].nunique() > 1],
        "forecasts": records(tables["forecasts"]),
    }


def _tells(table: pd.DataFrame, name: str) -> bool:
    """Whether rows differ in a column; what was taught only where another behavior was measured."""
    return bool((table["taught"] != table["behavior"]).any() if name == "taught" else table[name].nunique() > 1)


def _where(table: pd.DataFrame, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    rows = table
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    return records(rows)
