"""What a write-up's trials took, and where everything that they have left lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakage.report.artifacts import paths, pictures, plans, replies
from leakage.report.commands import reading
from leakage.report.compute import Stage, compute
from leakage.report.markdown import table
from leakage.store.artifact import Part
from leakage.store.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from leakage.studies.alignment_faking.report.trials import TrialPage
    from leakage.studies.alignment_faking.report.writeup.trials import Trials


def costs(trials: Trials) -> list[str]:
    """Hours, machines and dollars of each stage, each record counted once."""
    folders = [page.judged.folder for page in trials.pages]
    judged = [Part(page.judged.folder, page.judged.manifest) for page in trials.pages]
    stages = (
        Stage("training", list(_parts(folder.parents[1] for folder in folders))),
        Stage("replies", list(_parts(folder.parent for folder in folders))),
        Stage("judging", judged, sum(float(page.judged.facts["usd"] or 0) for page in trials.pages)),
    )
    return compute(stages, trials.multirun)


def _parts(folders: Iterator[Path]) -> Iterator[Part]:
    return (Part(folder, manifest) for folder in folders if (manifest := Record(folder).manifest))


def artifacts(trials: Trials, figures: Sequence[str]) -> list[str]:
    """Every trial's records, what several share, and the commands that show them again."""
    multirun = trials.multirun
    head = ("subject", "scenario", "seed", "adapter", "transcripts", "votes and outcomes")
    rows = [[*(page.row[name] for name in head[:3]), *_places(page, multirun)] for page in trials.pages]
    numbers = reading("table --study faking --format csv", multirun)
    return [
        "Paths are below the folder of results, those of figures beside this file. Beside transcripts stand "
        "`config.yaml` and `prompts.json`, what was sent, beside an adapter `examples.jsonl`, and beside all "
        "`manifest.json`.",
        "",
        *table(head, rows),
        *plans([page.judged.folder.parent for page in trials.pages], multirun),
        *replies(multirun),
        *pictures(figures, "faking-"),
        f"- Numbers: `{numbers}`; figures: `{reading('figures --study faking', multirun)}`",
        "",
    ]


def _places(page: TrialPage, multirun: Path) -> list[str]:
    folder = page.judged.folder
    adapter = folder.parents[1] / "adapter"
    files = (adapter, folder.parent / "transcripts.parquet", folder / "outcomes.parquet")
    return [paths([file], multirun) for file in files]
