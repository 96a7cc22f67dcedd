"""What leaks, in which direction, how sure, and which claims do not survive the controls."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from leakage.report.markdown import count, interval, listed
from leakage.report.wording import is_known, plain, signed, small
from leakage.studies.persona_leakage.analysis.tables import LEVEL, directions
from leakage.studies.persona_leakage.report.wording import delta
from leakage.studies.persona_leakage.report.writeup.text import deltas, rhos, verdicts

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.report.cells import Cell
    from leakage.studies.persona_leakage.report.writeup.study import Study

NAMED = 3
HEAD = (
    "behavior", "source", "seed", "settings", "n", "source delta", "mean bystander delta (95 %)", "rho", "95 %",
    "corrected rho", "p", "p (permutation)", "q", "partial rho", "finding",
)  # fmt: skip


def summary(study: Study) -> list[str]:
    """The first paragraph: how many cells, how many correlations, which way."""
    import pandas as pd

    rows = [cell.row for cell in study.main]
    counts = directions(pd.DataFrame(rows))
    held = " and, where there is another source, with the mean delta under the others held fixed"
    controlled = held if any(is_known(row["partial_rho"]) for row in rows) else ""
    shown = verdicts(row["finding"] for row in rows)
    return [
        f"{study.size[:1].upper()}{study.size[1:]}. p is below .05 in {counts['significant']} of {counts['cells']} "
        f"correlations: {counts['leak']} in the direction of leakage, {counts['against']} against it. Corrected for "
        f"the number of the model's cells (Benjamini-Hochberg, q < .05){controlled}: {shown}.",
        "",
    ]


def takeaways(study: Study) -> list[str]:
    """One item a behavior, then what holds across them."""
    lines = [_of_behavior(study, name, cells) for name, cells in study.behaviors()]
    lines += [*_of_seeds(study), *_of_shams(study), *_of_outliers(study)]
    return [f"- {line}" for line in lines] + [""]


def _of_behavior(study: Study, behavior: str, cells: list[Cell]) -> str:
    rows = [cell.row for cell in cells]
    unit, direction = rows[0]["unit"], rows[0]["leak_direction"]
    parts = [
        f"**{behavior}** ({'positive' if direction > 0 else 'negative'} rho = leak): "
        f"rho {rhos(row['rho'] for row in rows)} over {count(len(rows), 'cell')}, "
        f"{verdicts(row['finding'] for row in rows)}.",
        f"Mean bystander delta {deltas((row['mean_bystander_delta'] for row in rows), unit)}; the sources' own "
        f"{deltas((row['source_delta'] for row in rows), unit)}.",
        *_of_noise(rows),
        *_of_pairs(study, behavior),
        *_of_specificity(study, behavior, rows),
        *_of_related(cells, unit),
    ]
    return " ".join(parts)


def _of_noise(rows: list[dict[str, Any]]) -> list[str]:
    """What rho would be without the noise of few answers."""
    known = [row for row in rows if is_known(row["reliability"])]
    if not known:
        return []
    reliable = [row["reliability"] for row in known]
    return [
        f"The deltas are reliable to {plain(min(reliable), 2)} or more; corrected for the noise of so many answers rho "
        f"is {rhos(row['rho_corrected'] for row in known)}."
    ]


def _of_pairs(study: Study, behavior: str) -> list[str]:
    """All pairs of source and bystander together, where there are several sources."""
    return [
        f"Over all {row['pairs']:,} pairs of source and bystander rho is {signed(row['rho'])} (p {small(row['p'])}, by "
        f"shuffling), with each source's mean removed {signed(row['rho_within'])}, with each persona's removed too "
        f"{signed(row['rho_double'])}."
        for row in study.rows_of("pooled", behavior=behavior)
        if row["sources"] > 1
    ]


def _of_specificity(study: Study, behavior: str, rows: list[dict[str, Any]]) -> list[str]:
    """Partial and mismatched-source correlations, where a behavior has two sources or more."""
    controlled = [row for row in rows if is_known(row["partial_rho"])]
    if len({row["source"] for row in rows}) == 1:
        return ["One source only: nothing tells whether rho is its own."]
    if not controlled:
        return ["No partial correlation is defined: nothing tells whether rho is the source's own."]
    holds = [row for row in controlled if row["p_partial"] < LEVEL and row["partial_rho"] * row["leak_direction"] > 0]
    sentences = [
        f"Given the mean delta under the other sources rho is {rhos(row['partial_rho'] for row in controlled)}, in the "
        f"direction of leakage with p < .05 in {len(holds)} of {count(len(controlled), 'cell')}."
    ]
    pairs = study.rows_of("mismatched", behavior=behavior)
    if apart := [row["rho"] for row in pairs if not row["matched"] and is_known(row["rho"])]:
        sentences.append(f"With cosine to another source it is {rhos(apart)} (mean {signed(fmean(apart))}).")
    if alike := [row["rho"] for row in study.rows_of("between", behavior=behavior) if is_known(row["rho"])]:
        sentences.append(f"The deltas under two sources correlate {rhos(alike)} with each other.")
    return sentences


def _of_related(cells: list[Cell], unit: str) -> list[str]:
    """Personas that the taxonomy relates to the source, against the rest."""
    import pandas as pd

    from leakage.studies.persona_leakage.analysis.cells import bystanders

    known = bystanders(pd.concat([cell.rows for cell in cells])).dropna(subset=["delta"])
    names = zip(known["source"], known["related_to"], strict=True)
    near = pd.Series([source in related.split() for source, related in names], index=known.index)
    if near.all() or not near.any():
        return []
    return [
        f"Personas related to the source changed by {deltas([known['delta'][near].mean()], unit)} on average, all "
        f"others by {deltas([known['delta'][~near].mean()], unit)}."
    ]


def _of_seeds(study: Study) -> list[str]:
    repeated = [row for row in study.rows_of("seeds") if row["seeds"] > 1 and is_known(row["agreement"])]
    if not repeated:
        return []
    lowest = min(repeated, key=lambda row: row["agreement"])
    return [
        f"**Seeds**: {count(len(repeated), 'pair')} of behavior and source ran under "
        f"{max(row['seeds'] for row in repeated)} seeds; the deltas of two seeds correlate "
        f"{signed(fmean(row['agreement'] for row in repeated))} on average, lowest "
        f"{signed(lowest['agreement'])} ({lowest['behavior']} x {lowest['source']})."
    ]


def _of_shams(study: Study) -> list[str]:
    shams = study.rows_of("designs", design="sham")
    if not shams:
        return []
    apart = [row for row in shams if row["difference_low"] > 0 or row["difference_high"] < 0]
    return [
        f"**Sham adapters** (the same data, personas shuffled): rho {rhos(row['control_rho'] for row in shams)} where "
        f"the cells themselves have {rhos(row['rho'] for row in shams)}; in {len(apart)} of {len(shams)} the 95 % "
        f"interval of the difference leaves out 0."
    ]


def _of_outliers(study: Study) -> list[str]:
    rows = study.rows_of("outliers")
    if not rows:
        return []
    farthest = sorted(rows, key=lambda row: -abs(row["score"]))[:NAMED]
    named = [
        f"{row['persona']} ({row['behavior']} x {row['source']}, cosine {signed(row['cosine'])}: "
        f"{delta(row['delta'], row['unit'])}, expected {delta(row['expected'], row['unit'])})"
        for row in farthest
    ]
    return [
        f"**Outliers**: {len(rows)} of {count(sum(cell.row['n'] for cell in study.main), 'delta')} "
        f"{'lies' if len(rows) == 1 else 'lie'} far from what cosine predicts; the farthest: "
        f"{listed(named)}."
    ]


def headline_rows(cells: list[Cell]) -> list[list[str]]:
    """The headline numbers, a row a cell."""
    return [
        [
            row["taught"] if row["taught"] == row["behavior"] else f"{row['taught']}, measured on {row['behavior']}",
            row["source"], row["seed"], row["variant"], row["n"], delta(row["source_delta"], row["unit"]),
            _mean(row), signed(row["rho"]), interval(row["rho_low"], row["rho_high"]),
            signed(row["rho_corrected"]), small(row["p"]), small(row["p_permutation"]),
            small(row["q"]), signed(row["partial_rho"]), row["finding"],
        ]
        for row in (cell.row for cell in cells)
    ]  # fmt: skip


def _mean(row: dict[str, Any]) -> str:
    """The mean bystander delta with its interval."""
    mean, unit = delta(row["mean_bystander_delta"], row["unit"]), row["unit"]
    if not is_known(row["mean_low"]):
        return mean
    return f"{mean} ({delta(row['mean_low'], unit)} to {delta(row['mean_high'], unit)})"
