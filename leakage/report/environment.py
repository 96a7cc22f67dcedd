"""What templates know, whichever study's pages they make; all that is filled in is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.report import wording

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
FILTERS = ("signed", "small", "plain")


def environment(*folders: Path, filters: dict[str, Any], **names: Any) -> jinja2.Environment:
    """Templates of these folders and, after them, the shared ones; names: what every template may name."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {name: getattr(wording, name) for name in FILTERS}
    made.filters |= {"breakable": _breakable} | filters
    made.tests["known"] = wording.is_known
    made.globals |= names
    return made


def _breakable(name: str) -> str:
    """A name that may be broken after its underscores."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))
