"""The answers' files of a report: one for what a cell said after training, one a baseline for what came before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.progress import progress
from leakage.report.script import ATTEMPTS, shares, write_script
from leakage.studies.persona_leakage.report.completions import Limit, evaluation, limit, packed, weight

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.artifacts import Answers
    from leakage.studies.persona_leakage.report.cells import Cell

BUDGET = 20_000_000  # bytes; with the library and 24 cells a report stays below 30 MB


@dataclass(frozen=True)
class Shown:
    """A file of answers, relative to the report, and how much of them it holds."""

    name: str
    file: str
    limit: Limit
    original: str  # the folder of the whole of it, below the results

    @property
    def notice(self) -> str:
        """What is shown of how much, and where the rest is."""
        limit = self.limit
        samples = f"{limit.samples} of {limit.all_samples} samples per prompt" if limit.all_samples > 1 else ""
        prompts = (
            f"the first {limit.prompts} of {limit.all_prompts} prompts" if limit.prompts < limit.all_prompts else ""
        )
        shown = " for ".join(filter(None, [samples, prompts]))
        return f"Shown: {shown}; all are in {self.original}/completions.parquet."


def write_answers(
    cells: list[Cell], multirun: Path, folder: Path, *, samples: int | None = None, budget: int = BUDGET
) -> dict[Path, Shown]:
    """Write the answers of all cells, before and after, as far as they fit; told by the folder of their scores."""
    names = _names(cells)
    every = {one.scores.folder: one for cell in cells for one in _answers(cell).values()}
    weights = _weigh(list(every.values()))
    aim, shown_of = budget, {}
    for _ in range(ATTEMPTS):  # one question of each persona stays, and of very many cells even those may be too much
        fits = shares(weights, aim)
        with progress(len(every), "report: completions", "file") as advance:
            for place, one in every.items():
                share = fits[evaluation(one)]
                shown_of[place] = _write(one, folder, names[place], multirun, share=share, samples=samples)
                advance(1)
        taken = sum((folder / shown.file).stat().st_size for shown in shown_of.values())
        if taken <= budget or samples is not None:
            break
        aim = int(0.9 * aim * budget / taken)  # with some room, so that once more is enough
    return shown_of


def _weigh(every: list[Answers]) -> dict[tuple[str, str, str], int]:
    """Packed bytes of each evaluation: what is compared, before and after, is cut alike."""
    weights: dict[tuple[str, str, str], int] = {}
    with progress(len(every), "report: weighing completions", "file") as advance:
        for one in every:
            weights[evaluation(one)] = weights.get(evaluation(one), 0) + weight(one.frame())
            advance(1)
    return weights


def _answers(cell: Cell) -> dict[str, Answers]:
    artifacts = cell.artifacts
    both = {"before": artifacts.before, "after": artifacts.after} if artifacts else {}
    return {when: one for when, one in both.items() if one}


def _names(cells: list[Cell]) -> dict[Path, str]:
    """The name of each file of answers; of a baseline that of the first cell that is read against it."""
    names: dict[Path, str] = {}
    for cell in cells:
        for when, one in _answers(cell).items():
            names.setdefault(one.scores.folder, f"{cell.slug}-{when}")
    return names


def _write(one: Answers, folder: Path, name: str, multirun: Path, *, share: float, samples: int | None) -> Shown:
    frame = one.frame()
    shown = limit(frame, share, samples=samples)
    file = f"answers/{name}.js"
    write_script(folder / file, "answers", name, packed(shown.of(frame)))
    return Shown(name, file, shown, one.completions.folder.relative_to(multirun).as_posix())
