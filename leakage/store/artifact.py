"""A finished record as readers of results take it: its folder and its manifest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakage.store.manifest import Manifest


@dataclass(frozen=True)
class Part:
    """A finished record."""

    folder: Path
    manifest: Manifest

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The lines of one of its JSONL files, in order."""
        return [json.loads(line) for line in (self.folder / name).read_text().split("\n") if line]
