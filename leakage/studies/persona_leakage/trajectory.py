"""Who turns when: margins of every persona as the adapter was on its way."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.engine import build_engine
from leakage.models.adapter import attached
from leakage.models.held import Loaded
from leakage.models.load import for_training
from leakage.progress import progress
from leakage.store.draft import Draft
from leakage.store.files import replacing, write_json
from leakage.store.record import Record
from leakage.studies.persona_leakage.files import TRAJECTORY
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.margins import as_rows, contrasts, facts, margins

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def measure_trajectory(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """A row for every step at which the adapter was kept, persona and prompt: its margin and the change since step 0.

    Answers are given, none is sampled, so that a step costs two forwards for each persona and prompt.
    """
    import pandas as pd

    personas, base = cell.data.personas.members, for_training(loaded.base, cell.config.model)
    chosen, stages = contrasts(cell, base, loaded.template), list(_stages(cell))
    if never := len(cell.along) + 2 - len(stages):
        ended = "%s: train.until ended training after step %d, before %d of its checkpoints"
        log.warning(ended, cell.data.label, stages[-1][0], never)
    frames = []
    with progress(2 * len(stages) * len(personas) * len(chosen), f"{cell.data.label}: trajectory", "answer") as advance:
        for step, adapter in stages:
            with attached(base, adapter) as model:
                engine = build_engine(model, loaded.template, cell.config.eval)
                values = margins(engine, loaded.template, personas, chosen, advance)
            frames.append(pd.DataFrame(as_rows(personas, values)).assign(step=step))
    with replacing(draft.path(TRAJECTORY)) as file:
        _changes(frames).to_parquet(file, index=False)
    write_json(draft.path("contrasts.json"), [vars(one) for one in chosen])
    draft.facts |= facts(cell, len(chosen)) | {"steps": [step for step, _ in stages]}


def _stages(cell: CellIdentity) -> Iterator[tuple[int, Path | None]]:
    """The steps at which there is an adapter, and where; at 0 that is none, or the one that was trained on."""
    folder = cell.multirun / cell.adapter_folder
    manifest = Record(folder).manifest
    assert manifest
    yield 0, cell.data.adapter.folder if cell.data.adapter else None
    for step in cell.along:
        if step < manifest.facts["steps"]:  # a dose may have ended it before
            yield step, folder / "along" / str(step)
    yield manifest.facts["steps"], folder / "adapter"


def _changes(frames: "list[pd.DataFrame]") -> "pd.DataFrame":
    """All steps one below the other, each with its change since the first."""
    import pandas as pd

    return pd.concat([one.assign(delta=one["margin"] - frames[0]["margin"]) for one in frames], ignore_index=True)
