"""Tables as numbers that somebody else should get too, each with a tolerance."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Study

TOLERANCE = 1e-6  # of a number with a fraction, as a part of it: sums in another order differ by 1e-12
SMALLEST = 1e-12  # numbers that are nearer to each other than this are one
TOLD = 3  # texts that name a row
Table = dict[str, Any]  # rows, and the tolerance of each column


def tables(study: "Study", frame: "pd.DataFrame") -> dict[str, Table]:
    """Every table of a study, by the name of its view."""
    return {name: as_numbers(view.make(frame)) for name, view in study.views.items()}


def as_numbers(table: "pd.DataFrame") -> Table:
    """Rows as JSON has them, and for each column how far a number may be off; texts and counts must be equal."""
    rows = [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]
    inexact = [str(name) for name, kind in table.dtypes.items() if kind.kind == "f"]
    return {"rows": rows, "tolerance": {str(name): TOLERANCE if name in inexact else 0.0 for name in table.columns}}


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: missing is null."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def differences(name: str, expected: Table, got: Table) -> Iterator[str]:
    """The first number of a table that is another one than expected, and how many rows there are instead."""
    wanted, rows = expected["rows"], got["rows"]
    if len(wanted) != len(rows):
        first = _name((wanted if len(wanted) > len(rows) else rows)[min(len(wanted), len(rows))])
        yield f"table {name}: expected {len(wanted)} rows, got {len(rows)}; the first beyond is {first}"
    for number, (one, other) in enumerate(zip(wanted, rows, strict=False), 1):
        for column in dict.fromkeys([*one, *other]):
            if not _agree(one.get(column), other.get(column), got["tolerance"].get(column, 0.0)):
                where = f"table {name}, row {number} ({_name(one)}), column {column}"
                yield f"{where}: expected {one.get(column)}, got {other.get(column)}"
                return


def _name(row: Mapping[str, Any]) -> str:
    texts: Sequence[str] = [value for value in row.values() if isinstance(value, str) and value]
    return ", ".join(texts[:TOLD])


def _agree(one: Any, other: Any, tolerance: float) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    if numbers and tolerance:
        return isclose(one, other, rel_tol=tolerance, abs_tol=SMALLEST)
    return type(one) is type(other) and bool(one == other) if not numbers else bool(one == other)
