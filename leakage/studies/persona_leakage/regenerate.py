"""A sampled share of a cell's answers, asked anew with the adapter beside them, and compared word for word."""

from pathlib import Path
from typing import TYPE_CHECKING

from leakage.engine import asking
from leakage.errors import LeakageError
from leakage.models.held import Loaded
from leakage.store.artifact import Part
from leakage.studies.anew import MODEL, compared, not_asked, not_comparable, other_here, settings_here
from leakage.studies.checking import Again, Sample
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.files import COMPLETIONS
from leakage.studies.persona_leakage.generate import ask_some, everything
from leakage.studies.persona_leakage.judges.base import KEYS
from leakage.studies.persona_leakage.settings import CellConfig
from leakage.training.train import WEIGHTS

if TYPE_CHECKING:
    from leakage.studies.study import Compose

EXAMPLES = "examples.jsonl"  # of an adapter's record
SAID = ("completion", "finish", "right", "p_right")
MADE_FOR = {"model": MODEL, "examples": "the training examples", "personas": "the personas", "prompts": "the prompts"}


def regenerate(part: Part, multirun: Path, sample: Sample, compose: "Compose") -> Again:
    """Ask a share of a record of completions anew; every other record is left alone."""
    if part.manifest.kind != "completions":
        return Again()
    where = part.folder.relative_to(multirun.parent).as_posix()
    try:
        config = settings_here(part, multirun, sample, compose)
        assert isinstance(config, CellConfig)
        cell = Cell(_with_rows_beside(config, part.folder.parent / EXAMPLES))
        ids = cell.ids
        if other := other_here(part, ids.evaluation, ids.train, ids.train_id, MADE_FOR):
            return not_comparable(where, other)
        return _asked(cell, part, sample, where)
    except (LeakageError, OSError, ValueError) as error:  # a file of the settings is not here, or a model
        return not_asked(where, f"it cannot be asked again here ({error})")


def _with_rows_beside(config: CellConfig, rows: Path) -> CellConfig:
    """The settings with the rows of an own training set from its adapter's record: their file need not be here."""
    training = config.data.training
    if training.path is None or not rows.is_file():
        return config
    data = config.data.model_copy(update={"training": training.model_copy(update={"path": str(rows)})})
    return config.model_copy(update={"data": data})


def _asked(cell: Cell, part: Part, sample: Sample, where: str) -> Again:
    import pandas as pd

    weights = None if cell.data.is_baseline else part.folder.parent / WEIGHTS
    if weights and not weights.is_file():
        return not_asked(where, "its adapter is not in the bundle", "only the base model can be asked again")
    loaded = Loaded(cell.config, cell.label, cell.probes)
    asked = sample.of(everything(cell.ids), cell.ids.completions_folder.as_posix())
    with asking(loaded, weights.parent if weights else None) as engine:
        now = ask_some(cell.ids, engine, loaded.template, asked)
    return compared(pd.read_parquet(part.folder / COMPLETIONS), now, f"{where}/{COMPLETIONS}", KEYS, SAID)
