"""The pages, made from templates; texts of personas, prompts and completions are escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.report.environment import environment
from leakage.report.folder import SHARED
from leakage.report.pages import records
from leakage.studies.persona_leakage import labels
from leakage.studies.persona_leakage.report import sections, wording
from leakage.studies.persona_leakage.report.compare import beside_published
from leakage.studies.persona_leakage.report.overview import HEIGHT, WIDTH, grids
from leakage.studies.persona_leakage.report.points import KINDS, axes, personas, why_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jinja2
    import pandas as pd

    from leakage.store.artifact import Part
    from leakage.studies.persona_leakage.report.archive import Shown
    from leakage.studies.persona_leakage.report.cells import Cell

TEMPLATES = Path(__file__).parent / "templates"
FILTERS = ("delta", "leak", "units", "sentence")
MOST_OUTLIERS = 30  # on the first page; a cell's page has all of its own
OPTIONAL = ("model", "taught", "seed", "judge", "variant")  # columns that only tell something where they differ


@cache
def _environment() -> jinja2.Environment:
    return environment(
        TEMPLATES,
        filters={name: getattr(wording, name) for name in FILTERS} | {"definition": labels.definition},
        findings=wording.FINDINGS,
        kinds=KINDS,
        width=WIDTH,
        height=HEIGHT,
    )  # fmt: skip


def index_page(cells: list[Cell], tables: dict[str, pd.DataFrame], pictures: Sequence[str]) -> str:
    """The first page: the table of cells, all of them at a glance, seeds, published rows, outliers, pictures."""
    from leakage.studies.persona_leakage.analysis.published import MODEL

    keys = _columns(cells)
    published = beside_published(cells)
    far = _outliers(cells, tables["outliers"])
    seeds = records(tables["seeds"][tables["seeds"]["seeds"] > 1])
    return _environment().get_template("index.html").render(
        root="", cells=cells, keys=keys, models=_values(cells, "model"), summary=_summary(cells),
        filters={name: _values(cells, name) for name in (*keys, "finding")},
        units={cell.row["behavior"]: (cell.row["unit"], wording.leak(cell.row["leak_direction"])) for cell in cells},
        **sections.together(tables), **sections.raced(tables),
        grids=grids(cells), seeds=seeds, variants=any(row["variant"] for row in seeds),
        published=published, published_model=MODEL, same=sum(one["same"] for one in published),
        outliers=far[:MOST_OUTLIERS], outliers_left=max(0, len(far) - MOST_OUTLIERS),
        pictures=[name.removesuffix(".png") for name in pictures if name.endswith(".png")],
    )  # fmt: skip


def cell_page(place: int, cells: list[Cell], tables: dict[str, pd.DataFrame]) -> str:
    """The page of one cell, with links to its neighbours."""
    cell = cells[place]
    artifacts = cell.artifacts
    return _environment().get_template("cell.html").render(
        root="../", cell=cell,
        previous=cells[place - 1] if place else None,
        next=cells[place + 1] if place + 1 < len(cells) else None,
        measured=labels.measured(cell.rows.iloc[0].to_dict())[0],
        personas=personas(cell), nothing_to_draw=why_none(cell),
        log=artifacts.log() if artifacts else [], lint=artifacts.lint() if artifacts else [],
        config=artifacts.config() if artifacts else "",
        config_of="the training",
        training_data=sections.training_data(artifacts) if artifacts else [],
        provenance=sections.provenance(artifacts.parts, artifacts.multirun) if artifacts else [],
        dosed=sections.dosed(cell), **sections.controls(cell, tables),
    )  # fmt: skip


def cell_data(cell: Cell, answers: dict[Path, Shown]) -> dict[str, Any]:
    """What the scripts of a cell's page read: its points, its training, and where its answers lie."""
    artifacts = cell.artifacts
    log = artifacts.log() if artifacts else []
    files = {
        when: answers.get(one.scores.folder) if one else None
        for when, one in (("before", artifacts and artifacts.before), ("after", artifacts and artifacts.after))
    }
    shown = [file for file in reversed(files.values()) if file]
    return {
        "source": cell.row["source"],
        "axes": axes(cell),
        "kinds": KINDS,
        "points": personas(cell),
        "log": {name: [one.get(name) for one in log] for name in ("step", "loss", "learning_rate")},
        "verdicts": verdicts(cell),
        "up": cell.row["leak_direction"] > 0,
        "limit": next((file.notice for file in shown if not file.limit.is_whole), ""),
    } | {when: file and {"file": file.file, "name": file.name} for when, file in files.items()}


def card_page(cell: Cell, card: dict[str, Any], parts: dict[str, Part]) -> str:
    """The page of a leak card, one file with its style in it. card: its JSON, whose values the page shows; parts: the
    records that it rests on"""
    artifacts, panel = cell.artifacts, grids([cell])[0].rows[0][1][0]
    assert artifacts
    assert panel
    return _environment().get_template("card.html").render(
        root="", css=(SHARED / "report.css").read_text(), cell=cell, card=card, panel=panel,
        measured=labels.measured(cell.rows.iloc[0].to_dict())[0], axes=axes(cell), nothing_to_draw=why_none(cell),
        training_data=sections.training_data(artifacts), provenance=sections.provenance(parts, artifacts.multirun),
        config=artifacts.config(), config_of="the training",
    )  # fmt: skip


def verdicts(cell: Cell) -> tuple[str, str] | None:
    """What a hit and a miss are called; None where the score says it all."""
    if cell.artifacts and cell.artifacts.facts.get("choice") and cell.row["unit"] == "pp":
        return "right", "wrong"
    return (cell.row["behavior"], f"no {cell.row['behavior']}") if cell.row["unit"] == "rate" else None


def _columns(cells: list[Cell]) -> list[str]:
    telling = [name for name in OPTIONAL if len({cell.row[name] for cell in cells}) > 1]
    if any(cell.row["taught"] != cell.row["behavior"] for cell in cells):
        return ["behavior", "source", *telling]
    return ["behavior", "source", *(name for name in telling if name != "taught")]


def _values(cells: list[Cell], name: str) -> list[Any]:
    return list(dict.fromkeys(cell.row[name] for cell in cells))


def _summary(cells: list[Cell]) -> dict[str, int]:
    main = [cell for cell in cells if not cell.row["variant"] and cell.row["taught"] == cell.row["behavior"]]
    findings = [cell.row["finding"] for cell in main]
    leak = sum(one in {"leaks", "not specific"} for one in findings)
    return {
        "cells": len(main),
        "known": len(main) - findings.count("undefined"),
        "significant": leak + findings.count("against"),
        "leak": leak,
        "none": findings.count("no gradient"),
        "unspecific": findings.count("not specific"),
        "against": findings.count("against"),
    }


def _outliers(cells: list[Cell], table: pd.DataFrame) -> list[dict[str, Any]]:
    from leakage.studies.persona_leakage.artifacts import key_of

    slugs = {cell.key: cell.slug for cell in cells}
    far = table.loc[table["score"].abs().sort_values(ascending=False, kind="stable").index]
    return [row | {"slug": slugs[key_of(row)]} for row in records(far)]
