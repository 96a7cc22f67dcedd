"""One row of a file that somebody else wrote, and the one way of refusing it: what is wrong, and a good line."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from leakage.errors import DataError, nearest

Typed = TypeVar("Typed", bound=BaseModel)
SHOWN = 60  # characters of a value in an error
WANTED = {  # by how the name of pydantic's error begins
    "string": "a text", "tuple": "a list", "list": "a list", "dict": "an object", "model": "an object",
    "bool": "true or false", "int": "a whole number", "float": "a number",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One row of an outside file. where: the file and the line or row, for errors; fields: as they stand there"""

    where: str
    fields: dict[str, Any]


def shown(value: Any) -> str:
    """A value of a file as it stands there, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def refused(where: str, fault: str, good: str) -> DataError:
    """What to raise for a row that cannot be used. good: a line that could; "" = nobody knows what the file is for"""
    return DataError(f"{where}: {fault}" + (f"; a good line: {good}" if good else ""))


def typed(row: Row, kind: type[Typed], good: str) -> Typed:
    """A row as an object of a kind whose fields say in `description` what they take."""
    try:
        return kind.model_validate(row.fields)
    except ValidationError as error:
        raise refused(row.where, _in_words(error, kind), good) from error


def _in_words(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first thing pydantic found, in words that need no Python."""
    first = error.errors()[0]
    name, what = ".".join(str(part) for part in first["loc"]), first["type"]
    fields = {info.alias or name: info for name, info in kind.model_fields.items()}
    if what == "missing":
        return f"'{name}' is missing"
    if what == "extra_forbidden":
        return f"'{name}' is none of {', '.join(fields)}{nearest(name, fields)}"
    field = fields.get(str(first["loc"][0]))
    described = field.description if field and len(first["loc"]) == 1 else None
    wanted = described or first.get("ctx", {}).get("expected") or WANTED.get(what.partition("_")[0], "another value")
    return f"'{name}' is {shown(first['input'])} and should be {wanted}"
