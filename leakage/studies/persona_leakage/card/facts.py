"""Everything a card says, as it stands in its JSON: the page shows these very values."""

from pathlib import Path
from typing import Any

from leakage.report.wording import is_known, plain, signed
from leakage.store.artifact import Part
from leakage.store.files import digest, file_digest
from leakage.store.record import Record
from leakage.studies.persona_leakage.analysis.race import by_forecast
from leakage.studies.persona_leakage.card.verdict import CONTAINED, LEAKS, RULE, Spread, in_words, spread, verdict
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.forecast import made_of
from leakage.studies.persona_leakage.own_rows import in_words as rows_in_words
from leakage.studies.persona_leakage.report.cells import Cell as Shown
from leakage.studies.persona_leakage.report.points import personas
from leakage.studies.persona_leakage.report.wording import delta

CARD = 1  # of the JSON's fields; raise it when one means something else


def card_of(
    file: str, cell: Cell, shown: Shown, taught: list[dict[str, Any]], *, parts: dict[str, Part]
) -> dict[str, Any]:
    """The card of a cell. taught: see contrast.taught; parts: see rests_on"""
    one = spread(shown.rows)
    word = verdict(one)
    assert shown.artifacts
    return {
        "card": CARD,
        "file": _file(file) | {"rows": len(cell.data.examples), "who": rows_in_words(cell.data.examples)},
        "model": cell.config.model.name,
        "behavior": shown.row["behavior"],
        "source": cell.config.source.name,
        "seed": cell.config.seed,
        "unit": shown.row["unit"],
        "verdict": word,
        "why": why(word, one, shown.row["unit"]),
        "rule": RULE,
        "numbers": in_words(one) | _headline(shown.row),
        "teaches": taught,
        "forecast": _forecast(cell, shown),
        "personas": _personas(shown, is_forecast=cell.is_forecast),
        "lint": shown.artifacts.lint(),
        "cautions": list(shown.cautions),
        "digests": _digests(cell, parts),
    }


def _file(file: str) -> dict[str, Any]:
    """Its name and digest; of a folder of parts and of a data set of the hub, whose rows have one, the name alone."""
    path = Path(file).expanduser()
    return {"name": path.name or file, "sha256": file_digest(path) if path.is_file() else None}


def why(word: str, one: Spread, unit: str) -> str:
    """The numbers behind a verdict, in a sentence."""
    if not one.bystanders:
        return "every bystander is in the file, so nobody is left to leak to"
    mean, source, tenth = (delta(value, unit) for value in (one.mean, one.source, one.tenth))
    digits = 3 if unit == "rate" else 1
    reach = f"[{signed(one.reach.low, digits)}, {signed(one.reach.high, digits)}]"
    of = {"rate": "", "pp": " percentage points"}.get(unit, f" {unit}")
    changed = f"{one.bystanders} bystanders changed by {mean}{of} {reach}"
    said = f"{changed}, the source by {source}; a tenth of that is {tenth}"
    if word in {LEAKS, CONTAINED}:
        return f"{said}, and {plain(100 * one.share, 0)} % of the source's change reached them"
    if not one.was_taught:
        return f"{said}: it did not take the behavior up; train on with a larger train.learning_rate or train.epochs"
    return f"{said}, and noise alone reaches {delta(one.noise, unit)}"


def _headline(row: dict[str, Any]) -> dict[str, Any]:
    """How far similarity tells who changed."""
    numbers = {name: row[name] for name in ("rho", "rho_low", "rho_high", "p", "reliability", "cut_off")}
    return {name: None if value != value else float(value) for name, value in numbers.items()}


def _forecast(cell: Cell, shown: Shown) -> dict[str, Any] | None:
    """How right the sealed forecast was, and what it was made of; None where none was asked for."""
    table = by_forecast(shown.rows)
    if table.empty or not cell.is_forecast:
        return None
    row = table.iloc[0]
    numbers = {"rho": row["forecast_rho"], "expected_rho": row["expected_rho"], "top_ten": row["top_ten"]}
    counts = {"n": int(row["n"]), "before_training": bool(row["before_training"])}
    manifest = Record(cell.multirun / cell.ids.predictors_folder).manifest
    weights = manifest.facts["weights"] if manifest else {}
    known = {name: float(value) if is_known(value) else None for name, value in numbers.items()}
    return known | counts | {"weights": weights, "made_of": made_of(weights)}


def _personas(shown: Shown, *, is_forecast: bool) -> list[dict[str, Any]]:
    """The source first, then by size of change; the rank in the forecast is 1 for who should take up most."""
    ranks: dict[str, int] = {}
    if is_forecast and "forecast" in shown.rows:
        ranked = (
            shown.rows.dropna(subset=["forecast"])
            .set_index("persona")["forecast"]
            .rank(ascending=False, method="first")
        )
        ranks = {str(name): int(rank) for name, rank in ranked.items()}
    wanted = ("persona", "kind", "trained", "category", "system", "before", "after", "cosine", "delta")
    return [
        {name: one[name] for name in wanted} | {"forecast_rank": ranks.get(one["persona"])} for one in personas(shown)
    ]


def rests_on(cell: Cell, shown: Shown, contrast: Path) -> dict[str, Part]:
    """The records behind a card: those of its cell, and the file beside the base's answers, in `contrast`."""
    assert shown.artifacts
    folders = {"the file beside the base": contrast}
    folders |= {"forecast": cell.multirun / cell.ids.predictors_folder} if cell.is_forecast else {}
    made = {name: (folder, Record(folder).manifest) for name, folder in folders.items()}
    return shown.artifacts.parts | {
        name: Part(folder, manifest) for name, (folder, manifest) in made.items() if manifest
    }


def _digests(cell: Cell, parts: dict[str, Part]) -> dict[str, Any]:
    """Of the rows, the base model, and every file of every record, by what the record holds."""
    return {
        "rows": digest([one.as_row() for one in cell.data.examples]),
        "model": cell.ids.train["model"],
        "records": {
            name: {
                "folder": part.folder.relative_to(cell.multirun).as_posix(),
                "id": part.manifest.id,
                "sha256": {file: entry.sha256 for file, entry in sorted(part.manifest.files.items())},
            }
            for name, part in parts.items()
        },
    }
