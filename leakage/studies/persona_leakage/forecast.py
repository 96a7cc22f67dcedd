"""Before a cell is trained: what predictors say of each persona, and the forecast that follows, sealed in a record."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN, Interval
from leakage.errors import ConfigError
from leakage.models.held import Loaded
from leakage.store.draft import Draft
from leakage.store.files import replacing
from leakage.store.record import Record
from leakage.studies.persona_leakage.analysis.combination import (
    EQUAL,
    FEWEST,
    combined,
    expected,
    fixed_columns,
    held_out,
    learn,
    ranked_cells,
    ranks,
)
from leakage.studies.persona_leakage.files import FORECAST, PREDICTORS
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.pipeline import training_set
from leakage.studies.persona_leakage.predictors import predictor, predictor_names
from leakage.studies.persona_leakage.predictors.columns import FIXED, frame_column
from leakage.studies.persona_leakage.predictors.probe import Probe
from leakage.studies.persona_leakage.results import results

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
TOP = 10
WEIGHTY = 0.005  # what is told of weights


@dataclass(frozen=True)
class Learnt:
    """What finished cells of other behaviors or sources say: weights, and the rho a further cell should have.

    cells: those it was learnt from, none where the weights are the ones that were fixed beforehand
    """

    weights: Mapping[str, float]
    cells: tuple[str, ...]
    rho: float
    reach: Interval

    @property
    def expected(self) -> dict[str, float | None]:
        """The rho to expect and its interval, None where nothing is known yet."""
        values = {"rho": self.rho, "low": self.reach.low, "high": self.reach.high}
        return {f"expected_{name}": None if value != value else value for name, value in values.items()}


def foretell(cell: CellIdentity, loaded: Loaded, draft: Draft, *, planned: bool) -> None:
    """Measure every predictor, and rank the personas by them.

    planned: whether a plan asks, which tells the ranking itself, and hands the base on, since nothing is trained on it
    """
    import pandas as pd

    probe = Probe(cell, loaded, training_set(cell))
    columns, signs, seconds = _measured(probe)
    if planned:
        loaded.keep()
    names = [one.name for one in probe.personas]
    tidy = [pd.DataFrame({"persona": names, "predictor": name, "value": column}) for name, column in columns.items()]
    learnt = learn_from_others(cell)
    weights = of_those_there(learnt.weights, columns, cell.headline)
    ranking = rank(cell, {name: signs[name] * column for name, column in columns.items()}, weights)
    for name, frame in ((PREDICTORS, pd.concat(tidy, ignore_index=True)), (FORECAST, ranking)):
        with replacing(draft.path(name)) as file:
            frame.to_parquet(file, index=False)
    draft.facts |= {
        "model": cell.config.model.name, "taught": cell.data.behavior.name, "behavior": cell.data.evaluated.name,
        "source": cell.config.source.name, "seed": cell.config.seed, "headline": cell.headline,
        "personas": len(names), "signs": signs, "seconds": seconds, "weights": weights,
        "learnt_from": list(learnt.cells), **learnt.expected,
        "before_training": Record(cell.multirun / cell.adapter_folder).manifest is None,
    }  # fmt: skip
    if not planned:
        log.info("%s", in_words(cell, ranking, draft.facts))


def of_those_there(weights: Mapping[str, float], columns: Iterable[str], headline: str) -> dict[str, float]:
    """The weights of the predictors that are measured here, which have the others' part: they sum to 1. Where none of
    them has a weight, each counts alike."""
    named = (frame_column(name, headline) for name in columns)
    there = dict.fromkeys(name.removeprefix(FIXED) for name in named if name.startswith(FIXED))
    part = sum(weight for name, weight in weights.items() if name in there)
    if part > 0:
        return {name: weight / part for name, weight in weights.items() if name in there}
    return {name: 1 / len(there) for name in there}


def _measured(probe: Probe) -> "tuple[dict[str, np.ndarray], dict[str, int], dict[str, float]]":
    """Every predictor's columns, their signs, and the seconds each predictor took with what it was the first to ask."""
    columns: dict[str, np.ndarray] = {}
    signs: dict[str, int] = {}
    seconds: dict[str, float] = {}
    _ = probe.engine  # loading the model is nobody's
    for name in probe.cell.config.predictors or predictor_names():
        started, one = perf_counter(), predictor(name)
        measured = one.measure(probe)
        columns |= {column: np.asarray(values, dtype=float) for column, values in measured.items()}
        signs |= dict.fromkeys(measured, one.sign)
        seconds[name] = round(perf_counter() - started, 3)
    if not columns:
        raise ConfigError(
            f"predictors=[{','.join(seconds)}]: none of them can be measured for {probe.cell.data.label} (margin wants "
            "opposite answers, base_rate a scored baseline); name others as well, or predictors=null for all"
        )
    return columns, signs, seconds


def learn_from_others(cell: CellIdentity) -> Learnt:
    """Weights from the finished cells of this model and judge that differ in behavior or source.

    The rho to expect is that of weights from the cells of other behaviors in turn, of other sources where all have one
    behavior.
    """
    frame = results(cell.multirun) if cell.multirun.is_dir() else None
    if frame is None or frame.empty:
        return Learnt(EQUAL, (), NAN, Interval(NAN, NAN))
    same = (frame["taught"] == cell.data.behavior.name) & (frame["source"] == cell.config.source.name)
    others = frame[(frame["model"] == cell.config.model.name) & (frame["variant"] == "") & ~same]
    columns = fixed_columns(others)
    finished = [one for one in ranked_cells(others, columns) if one.predictors.get("margin", np.zeros(1)).any()]
    by = "behavior" if len({one.key["behavior"] for one in finished}) > 1 else "source"
    enough = len(finished) >= FEWEST
    weights = learn(finished, list(columns)) if enough else EQUAL
    rhos = held_out(finished, by, lambda some: learn(some, list(columns)))
    rho, reach = expected(rhos if enough else np.array([one.rho(EQUAL) for one in finished]))
    names = [f"{one.key['behavior']} x {one.key['source']}, seed {one.key['seed']}" for one in finished]
    return Learnt(weights, tuple(names) if enough else (), rho, reach)


def rank(cell: CellIdentity, oriented: "Mapping[str, np.ndarray]", weights: Mapping[str, float]) -> "pd.DataFrame":
    """persona, forecast, rank: bystanders by their forecast, 1 for the one that should take up most.

    oriented: columns in which a larger value should mean more leakage
    """
    import pandas as pd

    parts = cell.data.parts()
    counts = np.array([one["in_panel"] and not one["is_source"] for one in parts])
    named = {frame_column(name, cell.headline): ranks(column[counts]) for name, column in oriented.items()}
    fixed = {name.removeprefix(FIXED): column for name, column in named.items() if name.startswith(FIXED)}
    names = [one["persona"] for one, counted in zip(parts, counts, strict=True) if counted]
    scores = combined(fixed, weights)
    order = np.argsort(-scores, kind="stable")
    ranking = {"persona": np.array(names)[order], "forecast": scores[order], "rank": range(1, len(names) + 1)}
    return pd.DataFrame(ranking)


def told_again(cell: CellIdentity) -> str:
    """The sealed forecast of a cell, in words."""
    import pandas as pd

    record = Record(cell.multirun / cell.predictors_folder)
    assert record.manifest
    return in_words(cell, pd.read_parquet(record.folder / FORECAST), record.manifest.facts)


def in_words(cell: CellIdentity, ranking: "pd.DataFrame", facts: Mapping[str, Any]) -> str:
    """The ten that should take up most, and how far such a ranking has been right."""
    rho, low, high = (facts[f"expected_{name}"] for name in ("rho", "low", "high"))
    known = "not known yet" if rho is None else f"{rho:+.2f}"
    known += f" ({low:+.2f} to {high:+.2f})" if low is not None else ""
    sealed = "" if facts["before_training"] else " (told after training)"
    return (
        f"forecast of {cell.data.label}{sealed}: {', '.join(ranking['persona'][:TOP])}; made of "
        f"{made_of(facts['weights'])}; rho of forecast and change to expect: {known}"
    )


def made_of(weights: Mapping[str, float]) -> str:
    """What a forecast rests on, the most of it first: 0.50 cosine, 0.50 margin."""
    heaviest = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{weight:.2f} {name}" for name, weight in heaviest if weight >= WEIGHTY) or "nothing"
