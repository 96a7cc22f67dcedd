"""Completions that were made elsewhere, as a cell with its baseline: judged, tabled and shown like those made here.

completions = what a file has, before and after     scores = what rules or a judge say of each
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError
from leakage.jobs.step import Step, fill
from leakage.settings.overrides import override
from leakage.store.draft import Draft
from leakage.store.files import digest, replacing
from leakage.store.manifest import SCHEMA, Input
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.data import CellData
from leakage.studies.persona_leakage.files import COMPLETIONS
from leakage.studies.persona_leakage.identity import CellIdentity, identity_of
from leakage.studies.persona_leakage.needs import geometry_of
from leakage.studies.persona_leakage.outside import Answer, Columns, read_answers_of
from leakage.studies.persona_leakage.scoring import score
from leakage.studies.persona_leakage.settings import CellConfig

if TYPE_CHECKING:
    import pandas as pd

    from leakage.settings.config import Config

log = logging.getLogger(__name__)
_LENGTH = 8  # hex digits of a digest in a folder's name


@dataclass(frozen=True)
class Condition:
    """The answers of one file from before training, or from after it. cell: as whose answers they count"""

    cell: CellIdentity
    name: str
    answers: tuple[Answer, ...]
    file: str
    prompts: tuple[str, ...]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that can change the completions."""
        return {"schema": SCHEMA, "imported": digest([asdict(one) for one in self.answers])}

    @property
    def eval_id(self) -> str:
        """Short name of what was asked; both conditions share it."""
        return digest({"prompts": self.prompts, "personas": self.cell.data.personas.rows})[:_LENGTH]

    @property
    def folder(self) -> Path:
        """Where the completions live, below paths.multirun."""
        data, source = self.cell.data, "none" if self.name == "before" else self.cell.data.source.name
        adapter = f"imported-{digest(self.identity)[:_LENGTH]}"
        measured = data.evaluated.name
        return Path(self.cell.config.model.name, data.behavior.name, source, adapter, f"{measured}-{self.eval_id}")

    def facts(self, baseline: Path | None) -> dict[str, Any]:
        """What a reader needs beside the numbers: of a cell, or, where there is no baseline, of a baseline itself."""
        config, data = self.cell.config, self.cell.data
        shared = {
            "model": config.model.name, "pool": config.model.pool, "taught": data.behavior.name,
            "behavior": data.evaluated.name, "source": self.folder.parts[2],
            "train_id": digest(self.identity)[:_LENGTH], "eval_id": self.eval_id, "headline": self.cell.headline,
            "choice": config.model.headline.choice, "personas": digest(self.parts()),
        }  # fmt: skip
        if baseline is None:
            return shared
        cell = {"seed": config.seed, "design": config.behavior.design, "geometry": str(self.geometry)}
        return shared | cell | {"baseline": str(baseline)}

    @property
    def geometry(self) -> Path:
        """The record of the model's centroids, below paths.multirun."""
        return identity_of(geometry_of(self.cell.config)).geometry_folder

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from other cells of the same behavior and source."""
        return {"imported": self.file}

    def frame(self) -> "pd.DataFrame":
        """As of a cell: a row an answer, the prompts numbered as they first appear."""
        import pandas as pd

        places = {prompt: i for i, prompt in enumerate(self.prompts)}
        return pd.DataFrame(
            {"persona": one.persona, "prompt": places[one.prompt], "user": one.prompt, "sample": one.sample,
             "completion": one.completion, "tokens": 0, "finish": one.finish}
            for one in self.answers
        )  # fmt: skip

    def parts(self) -> list[dict[str, Any]]:
        """The part every persona plays, one row each; before training nobody is the source, whoever it will be."""
        nobody = {} if self.name == "after" else dict.fromkeys(("is_source", "trained_negative", "shares_word"), False)
        return [row | nobody for row in self.cell.data.parts()]

    def parts_frame(self) -> "pd.DataFrame":
        """The same as a table."""
        import pandas as pd

        return pd.DataFrame(self.parts())


def import_file(
    path: str, overrides: Sequence[str], compose: "Callable[[Sequence[str]], Config]", *,
    behavior: str, source: str, **columns: str,
) -> list[Record]:  # fmt: skip
    """Bring a file's answers in as a cell and its baseline, read by the judge of the settings; the cell's scores.

    The model of the settings is the one whose geometry the cell is read against.
    """
    chosen = (f"behavior={behavior}", "behavior.negatives=[]", override("source.name", source))
    config = compose([*chosen, *overrides])
    assert isinstance(config, CellConfig)
    cell = CellIdentity(CellData(config))
    if cell.data.evaluated.choices:
        raise ConfigError(f"{behavior} is chosen among labels, not answered in words; import answers to another one")
    answers = read_answers_of(path, cell.data.personas, cell.data.source.name, Columns(**columns))
    prompts = tuple(dict.fromkeys(one.prompt for one in answers))
    before, after = (
        Condition(cell, name, tuple(one for one in answers if one.condition == name), Path(path).name, prompts)
        for name in ("before", "after")
    )
    if Record(cell.multirun / after.geometry).status() is not Status.DONE:
        log.info("cosines come with the geometry of %s: python run.py job=geometry model=…", config.model.name)
    for step in (steps := [*_steps(before, None), *_steps(after, before.folder)]):
        fill(cell.multirun, step, label=_label(cell, after))
    return [Record(cell.multirun / steps[-1].folder)]


def _label(cell: CellIdentity, after: Condition) -> str:
    return f"{cell.data.evaluated.name} x {cell.data.source.name}, from {after.file}"


def _steps(one: Condition, baseline: Path | None) -> Iterator[Step]:
    cell, facts = one.cell, one.facts(baseline)
    yield Step("completions", one.folder, one.identity, partial(_save, one, facts))
    make = partial(
        score, cell.multirun / one.folder, cell.judge, behavior=cell.data.evaluated, facts=facts,
        settings=lambda: one.settings, personas=one.parts_frame, label=_label(cell, one),
    )  # fmt: skip
    completions = Input(one.folder, COMPLETIONS)
    yield Step("scores", one.folder / cell.judge.folder, cell.judge.identity, make, (completions,), facts)


def _save(one: Condition, facts: dict[str, Any], draft: Draft) -> None:
    frame = one.frame()
    for name, table in ((COMPLETIONS, frame), ("personas.parquet", one.parts_frame())):
        with replacing(draft.path(name)) as file:
            table.to_parquet(file, index=False)
    cut_off = int((frame["finish"] == "length").sum())
    draft.facts |= facts | {"settings": one.settings, "cut_off": cut_off, "completions": len(frame)}
