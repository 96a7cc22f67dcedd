"""How a card is made: a cell like any other, the contrast of its file with the base, and both on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError
from leakage.jobs.idle import refuse_idle
from leakage.jobs.run import run
from leakage.jobs.step import fill
from leakage.models.held import Loaded
from leakage.progress import waiting
from leakage.report.pages import page_name, records
from leakage.settings.overrides import setting_of
from leakage.store.files import write_json, write_text
from leakage.studies.persona_leakage.artifacts import Artifacts, key_of, read_artifacts
from leakage.studies.persona_leakage.card.contrast import CONTRAST, contrast_step, taught
from leakage.studies.persona_leakage.card.facts import card_of, rests_on
from leakage.studies.persona_leakage.card.settle import settle
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.own_rows import SETTING
from leakage.studies.persona_leakage.pipeline import scoring_rule
from leakage.studies.persona_leakage.report.cells import Cell as Shown
from leakage.studies.persona_leakage.report.pages import card_page
from leakage.studies.persona_leakage.results import results

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Compose


def make_card(file: str, overrides: Sequence[str], compose: "Compose", out: Path | None) -> tuple[Path, str]:
    """Train, ask and compare what is not there yet, and write page and JSON; the page, and the verdict in words.

    out: the folder to write to; None = one below the results, named after the file and the cell
    """
    _refuse(file, overrides, out)
    cell = Cell(settle(file, overrides, compose))
    refuse_idle([(tuple(overrides), cell)])
    run(cell)
    step = contrast_step(cell.ids, Loaded(cell.config, cell.label, cell.probes))
    fill(cell.multirun, step, label=cell.label)
    with waiting("card: statistics"):
        shown = shown_cell(cell)
        contrast = cell.multirun / step.folder
        parts = rests_on(cell, shown, contrast)
        card = card_of(file, cell, shown, _taught(cell, contrast), parts=parts)
    folder = out or _folder(cell, file)
    write_json(folder / "card.json", card)
    write_text(folder / "card.html", card_page(shown, card, parts))
    return folder / "card.html", f"{card['verdict']}: {card['why']}"


def _refuse(file: str, overrides: Sequence[str], out: Path | None) -> None:
    """What would be another card than the one asked for."""
    keys = {setting_of(one) for one in overrides}
    if SETTING in keys:
        raise ConfigError(f"{SETTING} beside {file}: a card is of one file; leave the setting out")
    if "plan" in keys:
        raise ConfigError(
            f"plan: a card has none; python run.py {SETTING}={file} source=… behavior=… plan=true has one"
        )
    if out and out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; name a folder, which need not be there yet")


def _folder(cell: Cell, file: str) -> Path:
    """Another one for every cell of a file."""
    names = (Path(file).name.partition(".")[0], cell.config.model.name, cell.data.behavior.name)
    return cell.multirun / "cards" / page_name(*names, cell.config.source.name, cell.ids.train_id, cell.ids.eval_id)


def shown_cell(cell: Cell) -> Shown:
    """The cell as the pages of a report take it."""
    from leakage.studies.persona_leakage.analysis.cautions import cautions
    from leakage.studies.persona_leakage.analysis.tables import headline

    artifacts, rows = _kept(cell)
    table = headline(rows)
    return Shown("card", records(table)[0], rows, cautions(table)[0], artifacts)


def _kept(cell: Cell) -> "tuple[Artifacts, pd.DataFrame]":
    """The cell's records, and its rows of the tidy frame."""
    folder = cell.multirun / cell.ids.scores_folder
    there = {one.after.scores.folder: (key, one) for key, one in read_artifacts(cell.multirun).items() if one.after}
    key, artifacts = there[folder]
    frame = results(cell.multirun)
    same = [key_of(row) == key for row in records(frame)]
    return artifacts, frame[same].reset_index(drop=True)


def _taught(cell: Cell, folder: Path) -> list[dict[str, Any]]:
    import pandas as pd

    return taught(pd.read_parquet(folder / CONTRAST), cell.data.examples, scoring_rule(cell.ids))
