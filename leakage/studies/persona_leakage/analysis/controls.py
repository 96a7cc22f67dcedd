"""Is it the source? What is left of a cell's rho when other explanations are taken away."""

from typing import TYPE_CHECKING, Any

from leakage.analysis.resampling import interval, interval_of_difference
from leakage.analysis.statistics import NAN, partial_spearman, spearman
from leakage.studies.persona_leakage.analysis.cells import CELL, GRID, bystanders, cells, grids

if TYPE_CHECKING:
    import pandas as pd

MISMATCHED = (*GRID, "cosine_to", "delta_of", "n", "rho", "p", "matched")
BETWEEN = (*GRID, "source", "other", "n", "rho", "p", "rho_low", "rho_high")
SPECIFIC = (*GRID, "source", "n_partial", "partial_rho", "p_partial", "matched_rho", "rival", "rival_rho")
DESIGNS = (
    *CELL, "unit", "design", "source_delta", "control_source_delta", "mean_bystander_delta", "control_bystander_delta",
    "rho", "control_rho", "difference", "difference_low", "difference_high",
)  # fmt: skip


def mismatched(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Spearman of the cosine to one source against the deltas of another's cell: a row per pair of a grid's sources.

    If the cosine to A predicts what B's training did as well as A's own, rho says nothing about the source. Over the
    personas that are no source of the grid.
    """
    import pandas as pd

    rows = [
        key | {"cosine_to": to, "delta_of": of} | vars(spearman(cosines[to], deltas[of])) | {"matched": to == of}
        for key, deltas, cosines in grids(frame)
        for of in deltas
        for to in cosines
    ]
    return pd.DataFrame(rows, columns=list(MISMATCHED))


def between_sources(frame: "pd.DataFrame") -> "pd.DataFrame":
    """How alike two sources change everyone: Spearman of their deltas, with its bootstrap interval, over personas that
    are no source of the grid."""
    import pandas as pd

    rows = [
        key | {"source": one, "other": other} | _alike(deltas[one], deltas[other])
        for key, deltas, _ in grids(frame)
        for place, one in enumerate(deltas)
        for other in list(deltas)[place + 1 :]
    ]
    return pd.DataFrame(rows, columns=list(BETWEEN))


def _alike(one: "pd.Series[float]", other: "pd.Series[float]") -> dict[str, float]:
    reach = interval(one, other)
    return vars(spearman(one, other)) | {"rho_low": reach.low, "rho_high": reach.high}


def specificity(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell of a grid with at least two sources.

    partial_rho: Spearman given the mean delta under the other sources, what every training of this kind does to a
    persona; matched_rho: the plain one over the same personas; rival: the other source whose cosine predicts this
    cell's deltas best, in the direction of leakage.
    """
    import pandas as pd

    directions = frame.groupby("behavior")["leak_direction"].first()
    rows = []
    for key, deltas, cosines in grids(frame):
        for source in deltas:
            # rounded: equal means must be ties, whatever the order of the sources
            others = deltas.drop(columns=source).mean(axis=1).round(9)
            partial = partial_spearman(cosines[source], deltas[source], others)
            rhos = {to: spearman(cosines[to], deltas[source]).rho for to in cosines}
            rival = _strongest({to: rho for to, rho in rhos.items() if to != source}, directions[key["behavior"]])
            row: dict[str, Any] = {"n_partial": partial.n, "partial_rho": partial.rho, "p_partial": partial.p}
            row |= {"matched_rho": rhos[source], "rival": rival, "rival_rho": rhos.get(rival, NAN)}
            rows.append(key | {"source": source} | row)
    return pd.DataFrame(rows, columns=list(SPECIFIC))


def _strongest(rhos: dict[Any, float], direction: int) -> str:
    known = {to: rho for to, rho in rhos.items() if rho == rho}
    return str(max(known, key=lambda to: direction * known[to])) if known else ""


def against_designs(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Each control (a sham adapter, inoculation, …) beside the cell that differs from it in the design alone.

    difference: the cell's rho minus the control's, with a bootstrap interval over the personas both have.
    """
    import pandas as pd

    is_plain = frame["design"] == "published"
    plain = {_without_design(key, "published"): (key, rows) for key, rows in cells(frame[is_plain])}
    compared = []
    for key, rows in cells(frame[~is_plain]):
        design = rows["design"].iloc[0]
        if pair := plain.get(_without_design(key, design)):
            compared.append(pair[0] | {"unit": rows["unit"].iloc[0], "design": design} | _compare(pair[1], rows))
    return pd.DataFrame(compared, columns=list(DESIGNS))


def _without_design(key: dict[str, Any], design: str) -> tuple[Any, ...]:
    settings = tuple(one for one in key["variant"].split() if one != f"design={design}")
    return (*(key[name] for name in CELL[: CELL.index("variant")]), settings)


def _compare(cell: "pd.DataFrame", control: "pd.DataFrame") -> dict[str, float]:
    rows, others = bystanders(cell), bystanders(control)
    both = rows.merge(others[["persona", "delta"]], on="persona", suffixes=("", "_control"))
    rho, control_rho = (spearman(both["cosine"], both[name]).rho for name in ("delta", "delta_control"))
    reach = interval_of_difference(both["cosine"], both["delta"], both["delta_control"])
    return {
        "source_delta": cell.loc[cell["is_source"], "delta"].mean(),
        "control_source_delta": control.loc[control["is_source"], "delta"].mean(),
        "mean_bystander_delta": rows["delta"].mean(),
        "control_bystander_delta": others["delta"].mean(),
        "rho": rho,
        "control_rho": control_rho,
        "difference": rho - control_rho,
        "difference_low": reach.low,
        "difference_high": reach.high,
    }
