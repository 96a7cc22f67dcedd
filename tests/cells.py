"""The cells that several tests want, as arguments of the program, and a smaller panel that makes one quick."""

import json
from pathlib import Path

from tests.programs import ROOT

PERSONAS = ROOT / "leakage" / "data" / "personas" / "personas.jsonl"
TINY = ["debug=tiny"]
SHORT = ["train.max_steps=6", "train.checkpoint_s=0", "eval.prompts=2", "eval.samples=1", "eval.max_new_tokens=12"]
MAIN_JOB = ["run.py", "-m", "behavior=refusal,sycophancy", "source=villain,comedian"]
FOUR_CELLS = [*MAIN_JOB, "train.epochs=1", "train.learning_rate=3.0e-4", "eval.prompts=10"]  # longer strides, fewer
FAKING_SHORT = [
    "run.py", "experiment=faking_controls", "arm.gap=0.6",
    *("arm.rounds=1", "train.batch_size=8"),  # a hundred steps, as of two rounds
    *("eval.prompts=80", "eval.batch_size=160"),
]  # fmt: skip


def few_personas(folder: Path) -> str:
    """A file with the 11 personas that may be bystanders of a training, and every eighth other."""
    rows = PERSONAS.read_text().splitlines()
    some = [row for i, row in enumerate(rows) if json.loads(row)["category"] == "original" or i % 8 == 0]
    file = folder / "personas.jsonl"
    file.write_text("\n".join(some) + "\n")
    return f"personas.path={file}"
