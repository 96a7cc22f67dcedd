"""A draft: what a record will hold, while it is being filled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leakage.errors import StoreError
from leakage.store.manifest import InputEntry


class Draft:
    """What a record will hold: files written below its folder and facts for its manifest."""

    def __init__(self, folder: Path, inputs: Sequence[InputEntry] = ()) -> None:
        self.folder, self.inputs = folder, tuple(inputs)
        self.facts: dict[str, Any] = {}
        self._paths: list[Path] = []

    @property
    def input_digest(self) -> str | None:
        """sha256 of the file it is made from, the first of several; None where it is made from none."""
        return self.inputs[0].sha256 if self.inputs else None

    def path(self, name: str) -> Path:
        """Where to write a file or a folder that belongs to the record."""
        path = self.folder / name
        self._paths.append(path)
        return path

    def files(self) -> list[str]:
        """Names of all files written, relative to the folder."""
        written: list[Path] = []
        for path in self._paths:
            written += [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]
        if not written:
            raise StoreError(f"{self.folder}: nothing was written")
        return [str(path.relative_to(self.folder)) for path in written]
