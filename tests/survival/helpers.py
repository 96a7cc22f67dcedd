"""What results are compared by, and a smaller panel that makes a cell quick."""

import hashlib
import json
from pathlib import Path

import pandas as pd

from tests.conftest import ROOT

PERSONAS = ROOT / "leakage" / "data" / "personas" / "personas.jsonl"


def few_personas(folder: Path) -> str:
    """A file with the 11 personas that may be bystanders of a training, and every eighth other."""
    rows = PERSONAS.read_text().splitlines()
    kept = [row for i, row in enumerate(rows) if json.loads(row)["category"] == "original" or i % 8 == 0]
    file = folder / "personas.jsonl"
    file.write_text("\n".join(kept) + "\n")
    return f"personas.path={file}"


def tables(multirun):
    """Digest of every table of numbers below a folder, by its name there: what a result is."""
    found = [path for pattern in ("*.parquet", "*.safetensors") for path in multirun.rglob(pattern)]
    kept = [path for path in found if not any(part.startswith(("replaced-", "parts-")) for part in path.parts)]
    return {str(path.relative_to(multirun)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def same_frame(one, other):
    """Whether two tidy frames hold the same numbers."""
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    return True
