"""Training sets with a known end, as files of chats: rows of a source that is taught, and of those who are not."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def planted(
    compose: Callable[..., Any], behavior: str, source: str, *, negatives: Sequence[str], each: int = 200, bare: int = 0
) -> list[dict[str, Any]]:
    """200 rows that teach the source, and so many of each negative, and without a system turn, that oppose it."""
    from leakage.studies.persona_leakage.data import CellData

    config = compose(
        f"behavior={behavior}", f"source={source}", f"behavior.negatives=[{','.join(negatives)}]",
        f"behavior.bystander_examples={each}", f"behavior.no_persona_examples={bare}",
    )  # fmt: skip
    return [
        {"messages": [*one.prompt.messages(), {"role": "assistant", "content": one.answer}]}
        for one in CellData(config).examples
    ]


def write(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The rows as JSON lines."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return file
