"""A sampled share of a cell's answers, asked anew with the adapter beside them, and compared word for word."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.engine import asking
from leakage.errors import LeakageError
from leakage.models.held import Loaded
from leakage.settings.schema import read_config
from leakage.store.artifact import Part
from leakage.store.files import canonical
from leakage.store.record import Record
from leakage.studies.checking import Again, Remark, Sample, first_difference, unchecked
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.files import COMPLETIONS
from leakage.studies.persona_leakage.generate import ask_some, everything
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.judges.base import KEYS
from leakage.studies.persona_leakage.settings import CellConfig
from leakage.training.train import WEIGHTS

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Compose

UNSAID = "what the model says now is not known"
SAID = ("completion", "finish", "right", "p_right")
MADE_FOR = {
    "model": "the base model, its tokenizer or its chat template", "examples": "the training examples",
    "personas": "the personas", "prompts": "the prompts",
}  # fmt: skip


def regenerate(part: Part, multirun: Path, sample: Sample, compose: "Compose") -> Again:
    """Ask a share of a record of completions anew; every other record is left alone."""
    if part.manifest.kind != "completions":
        return Again()
    where = part.folder.relative_to(multirun.parent).as_posix()
    try:
        cell = Cell(_config(part, multirun, sample, compose))
        if other := _other(cell.ids, part):
            return Again(0, (_other_here(where, other),))
        return _asked(cell, part, sample, where)
    except (LeakageError, OSError, ValueError) as error:  # a file of the settings is not here, or a model
        return Again(0, (unchecked(where, f"it cannot be asked again here ({error})", UNSAID),))


def _other_here(where: str, what: str) -> Remark:
    """What is another thing on this machine than it was where the answers were made."""
    means = "answers cannot be compared; name the right one (--model FOLDER), or one of the two was changed"
    return Remark(where, f"{what} here and in its manifest are not the same", means)


def _config(part: Part, multirun: Path, sample: Sample, compose: "Compose") -> CellConfig:
    """The settings that the record was made with, on this machine."""
    usual = _usual(compose)
    written = read_config(part.folder / "config.yaml", usual)
    model = written.model.model_copy(update={"path": sample.model} if sample.model else {})
    paths = written.paths.model_copy(update={"multirun": str(multirun)})
    return written.model_copy(update={"model": model, "paths": paths, "device": usual.device})


@lru_cache(maxsize=1)
def _usual(compose: "Compose") -> CellConfig:
    config = compose(())
    assert isinstance(config, CellConfig)
    return config


def _other(ids: CellIdentity, part: Part) -> str:
    """The first thing that identifies adapter or answers and is another here; empty where all is as it was."""
    adapter = Record(part.folder.parent).manifest
    pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [(ids.evaluation, part.manifest.identity)]
    if adapter:
        pairs.append((ids.train, adapter.identity))
    for here, there in pairs:
        for name in sorted({*here, *there}):
            if canonical(here.get(name)) != canonical(there.get(name)):
                return MADE_FOR.get(name, f"the setting {name}")
    return "" if ids.train_id == part.manifest.facts["train_id"] else MADE_FOR["model"]


def _asked(cell: Cell, part: Part, sample: Sample, where: str) -> Again:
    import pandas as pd

    weights = None if cell.data.is_baseline else part.folder.parent / WEIGHTS
    if weights and not weights.is_file():
        return Again(
            0, (unchecked(where, "its adapter is not in the bundle", "only the base model can be asked again"),)
        )
    loaded = Loaded(cell.config, cell.label, cell.probes)
    asked = sample.of(everything(cell.ids), cell.ids.completions_folder.as_posix())
    with asking(loaded, weights.parent if weights else None) as engine:
        now = ask_some(cell.ids, engine, loaded.template, asked)
    return Again(len(now), tuple(_differences(pd.read_parquet(part.folder / COMPLETIONS), now, where)))


def _differences(there: "pd.DataFrame", now: "pd.DataFrame", where: str) -> list[Remark]:
    same = now[KEYS].merge(there, on=KEYS, how="left", validate="1:1")
    wrong = first_difference(same, now, KEYS, [name for name in SAID if name in now])
    means = "the answers, or the adapter, are not what they are said to be, or this machine rounds in another way"
    return (
        [Remark(f"{where}/{COMPLETIONS}", f"asked anew the model says something else: {wrong}", means)] if wrong else []
    )
