"""Every cell at a glance: small scatters, behaviors down and sources across, drawn as SVG that links to the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.studies.persona_leakage.report.points import personas

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.report.cells import Cell

WIDTH, HEIGHT, EDGE = 150, 104, 7  # of a panel, in SVG units


@dataclass(frozen=True)
class Panel:
    """One cell's marks, at their place in the panel; zero: where a delta of 0 lies."""

    cell: Cell
    marks: list[dict[str, Any]]
    zero: float

    def ends(self, axis: str) -> list[dict[str, Any]]:
        """The marks furthest to either side along "x" or "y"."""
        in_order = sorted(self.marks, key=lambda mark: mark[axis])
        return [in_order[0], in_order[-1]] if in_order else []


@dataclass(frozen=True)
class Grid:
    """The cells of one model, design and judge: a row a behavior, a column a source; None where there is no cell."""

    title: str
    sources: list[str]
    rows: list[tuple[str, list[Panel | None]]]


def grids(cells: list[Cell]) -> list[Grid]:
    """One grid for each set of cells that differ in behavior and source alone."""
    several = {name for name in ("model", "seed", "judge") if len({cell.row[name] for cell in cells}) > 1}
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        row = cell.row
        other = row["taught"] if row["taught"] != row["behavior"] else ""
        groups.setdefault((row["model"], other, row["variant"], row["seed"], row["judge"]), []).append(cell)
    return [_grid(_title(key, several), group) for key, group in groups.items()]


def _title(key: tuple[Any, ...], several: set[str]) -> str:
    model, taught, variant, seed, judge = key
    words = [str(model)] if "model" in several else []
    words += [f"{taught} taught, another behavior measured"] if taught else []
    words += [str(variant)] if variant else []
    words += [f"seed {seed}"] if "seed" in several else []
    return ", ".join(words + ([f"judged by {judge}"] if "judge" in several else []))


def _grid(title: str, cells: list[Cell]) -> Grid:
    sources = list(dict.fromkeys(cell.row["source"] for cell in cells))
    behaviors = list(dict.fromkeys(cell.row["behavior"] for cell in cells))
    by_place = {(cell.row["behavior"], cell.row["source"]): cell for cell in cells}
    x_range = {s: _reach([c for c in cells if c.row["source"] == s], "cosine") for s in sources}
    rows: list[tuple[str, list[Panel | None]]] = []
    for behavior in behaviors:
        reach = _reach([c for c in cells if c.row["behavior"] == behavior], "delta")
        y_range = min(reach[0], 0.0), max(reach[1], 0.0)
        row = [(source, by_place.get((behavior, source))) for source in sources]
        rows.append((behavior, [_panel(cell, x_range[source], y_range) if cell else None for source, cell in row]))
    return Grid(title, sources, rows)


def _reach(cells: list[Cell], column: str) -> tuple[float, float]:
    values = [value for cell in cells for value in cell.rows[column] if value == value]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _panel(cell: Cell, x_range: tuple[float, float], y_range: tuple[float, float]) -> Panel:
    def across(value: float) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * _share(value, x_range), 1)

    def up(value: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * _share(value, y_range), 1)

    drawn = [one for one in personas(cell) if one["kind"] != "outside" and None not in (one["cosine"], one["delta"])]
    marks = [one | {"x": across(one["cosine"]), "y": up(one["delta"])} for one in reversed(drawn)]  # the source on top
    return Panel(cell, marks, up(0.0))


def _share(value: float, reach: tuple[float, float]) -> float:
    low, high = reach
    return (value - low) / (high - low) if high > low else 0.5
