"""The headline table, and the same by category and by layer."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.resampling import differing, interval, interval_of_mean, permutation_p
from leakage.analysis.statistics import NAN, Correlation, detectable, false_discovery, known, mean_known, spearman
from leakage.studies.persona_leakage.analysis.cells import (
    CELL,
    GRID,
    Columns,
    are_bystanders,
    bystanders,
    cells,
    columns_of_cells,
    those,
)  # fmt: skip
from leakage.studies.persona_leakage.analysis.controls import specificity
from leakage.studies.persona_leakage.analysis.noise import of_answers, saturated
from leakage.studies.persona_leakage.by_prompt import table_of

if TYPE_CHECKING:
    import pandas as pd

FEW = 5
# What is corrected together: one judge's cells of one design and one set of settings; cells that measure another
# behavior than the taught one are a family of their own.
FAMILY = ["model", "judge", "design", "variant", "crossed"]
LEVEL = 0.05
HEADLINE = (
    "model", "behavior", "source", "seed", "n", "source_delta", "mean_bystander_delta", "rho", "p", "leak_direction",
    "finding", "mean_low", "mean_high", "rho_low", "rho_high", "resampled", "p_permutation", "q", "reliability",
    "reliability_binomial", "rho_corrected", "ceiling", "n_partial", "partial_rho", "p_partial", "matched_rho",
    "rival", "rival_rho", "trained_negatives", "rho_untrained", "p_untrained", "shared_words", "rho_unshared",
    "p_unshared", "unpaired", "answers", "beyond_source", "source_at_bound", "at_bound", "ties", "detectable",
    "same_as", "taught", "variant", "design", "judge", "missing", "cut_off", "unit", "cosine", "train_id", "eval_id",
)  # fmt: skip


RESULT = ("model", "taught", "behavior", "source", "seed", "judge", "train_id", "eval_id")
ANSWERS = dict.fromkeys(("base_k", "base_n", "base_mean", "base_sd", "k", "n", "mean", "sd"), NAN)
UNTOLD = {"delta_by_prompt": "", "measure": "hits"} | ANSWERS  # where a frame of one's own has no such columns
READ = (
    "cosine", "delta", "in_panel", "is_source", "trained_negative", "shares_word", "leak_direction", "design",
    "missing", "base_missing", "cut_off", "base_cut_off", "unit", "headline", *UNTOLD,
)  # fmt: skip


def headline(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell, over its bystanders: the personas of the panel other than the source.

    n: bystanders with a delta and a cosine, over which every rho is; unpaired: those that lack one of the two;
    beyond_source: those that took up more of the behavior than the source did; missing: verdicts, before and after,
    that could not be read; cut_off: the share of answers that had no end, before or after, whichever is more.
    mean_low, mean_high: interval of the mean bystander delta by Student's t.
    rho: Spearman between delta and the fixed cosine, with p by the t approximation, p_permutation, and a bootstrap
    interval; q: Benjamini-Hochberg over the cell's FAMILY; leak_direction: the sign it has if the behavior leaks.
    resampled: what the intervals take as drawn: personas, and prompts where these are few.
    The noise of few answers and the bounds they cannot pass: `noise.of_answers`, `noise.saturated`.
    The trained negatives count as bystanders, as published; *_untrained leaves them out, *_unshared those whose names
    share a word with the source's (nan where there are none). ties: share of bystanders with the commonest delta;
    detectable: the smallest |rho| that q shows in four of five experiments, given what else its family has shown;
    same_as: another cell with the very same deltas.
    variant: how the cell's settings differ from the commonest ones of its model and behavior. finding: see `finding`.
    The rest is `controls.specificity`.
    """
    import pandas as pd

    untold: dict[str, Any] = {name: usual for name, usual in UNTOLD.items() if name not in frame}
    rows = pd.DataFrame([key | _row(cell) for key, cell in columns_of_cells(frame.assign(**untold), *READ)])
    if rows.empty:
        return pd.DataFrame(columns=list(HEADLINE))
    whole = rows.merge(specificity(frame), on=[*GRID, "source"], how="left").fillna({"rival": ""})
    whole = whole.assign(crossed=whole["taught"] != whole["behavior"])
    for _, rows in whole.groupby(FAMILY, sort=False):
        whole.loc[rows.index, ["q", "detectable"]] = corrected(rows)
    whole["same_as"] = _twins(frame)
    whole["finding"] = [finding(row) for row in whole.to_dict("records")]
    return whole[list(HEADLINE)]


def corrected(family: "pd.DataFrame") -> "pd.DataFrame":
    """q of each cell of a family, and the rho that q would show: by the p needed of one more than have been shown."""
    q = false_discovery(family["p"])
    tests, shown = max(1, int(family["p"].notna().sum())), (q < LEVEL).sum()
    levels = [LEVEL * min(tests, shown + (not one < LEVEL)) / tests for one in q]
    sizes = [detectable(n, level=level) for n, level in zip(family["n"], levels, strict=True)]
    return family.assign(q=q, detectable=sizes)[["q", "detectable"]]


def _row(cell: Columns) -> dict[str, Any]:
    others, source = those(cell, are_bystanders(cell)), those(cell, cell["is_source"].astype(bool))
    everyone, by_prompt = spearman(others["cosine"], others["delta"]), table_of(others["delta_by_prompt"])
    changes = others["delta"] if by_prompt is None else by_prompt
    reach, mean = interval(others["cosine"], changes), interval_of_mean(changes)
    _, paired = known(others["cosine"], others["delta"])
    own, direction = mean_known(source["delta"]), int(cell["leak_direction"][0])
    return {
        "n": everyone.n,
        "unpaired": len(others["delta"]) - everyone.n,
        "beyond_source": int((others["delta"].astype(float) * direction > own * direction).sum()),
        "source_delta": own,
        "mean_bystander_delta": mean_known(others["delta"]),
        "mean_low": mean.low,
        "mean_high": mean.high,
        "rho": everyone.rho,
        "p": everyone.p,
        "leak_direction": direction,
        "rho_low": reach.low,
        "rho_high": reach.high,
        "resampled": "personas" if by_prompt is None else "personas and prompts",
        **of_answers(others, everyone.rho),
        **saturated(source, others),
        "p_permutation": permutation_p(others["cosine"], others["delta"]),
        **_without(others, "trained_negative", ("trained_negatives", "rho_untrained", "p_untrained")),
        **_without(others, "shares_word", ("shared_words", "rho_unshared", "p_unshared")),
        "ties": 1 - differing(paired) / len(paired) if len(paired) else NAN,
        "design": cell["design"][0],
        "missing": _unread(cell),
        "cut_off": float(max(cell["cut_off"][0], cell["base_cut_off"][0])),
        "unit": cell["unit"][0],
        "cosine": cell["headline"][0],
    }


def _without(others: Columns, kind: str, names: tuple[str, str, str]) -> dict[str, float]:
    """How many bystanders are of a kind; rho and p without them; nan where nobody tells who is."""
    if any(one is None for one in others[kind]):
        return dict.fromkeys(names, NAN)
    rest, many = those(others, ~others[kind].astype(bool)), int(others[kind].sum())
    left = spearman(rest["cosine"], rest["delta"]) if many else Correlation(NAN, NAN, 0)
    return dict(zip(names, (many, left.rho, left.p), strict=True))


def _unread(cell: Columns) -> float:
    """Verdicts, before and after, that could not be read; nan where nothing tells."""
    counts = np.concatenate([cell[name].astype(float) for name in ("base_missing", "missing")])
    return NAN if np.isnan(counts).all() else int(np.nansum(counts))


def _twins(frame: "pd.DataFrame") -> list[str]:
    """For each cell the name of another with the same delta for every bystander, or "": two conditions that are
    identical to the last bit are one condition, run twice by mistake."""
    seen: dict[tuple[float, ...], dict[tuple[Any, ...], str]] = {}
    keys = []
    for key, cell in columns_of_cells(frame, "persona", "delta", "in_panel", "is_source"):
        others = those(cell, are_bystanders(cell))
        deltas = tuple(others["delta"][np.argsort(others["persona"].astype(str))])
        result = tuple(key[name] for name in RESULT)  # told by two cosines it is still one
        keys.append((deltas, result))
        name = f"{key['behavior']} x {key['source']}, seed {key['seed']} {key['variant']}".strip()
        seen.setdefault(deltas, {}).setdefault(result, name)
    return [
        next((name for other, name in seen[deltas].items() if other != result), "") if len(set(deltas)) > 1 else ""
        for deltas, result in keys
    ]


def finding(row: dict[Any, Any]) -> str:
    """What a cell shows, after correction for the number of cells.

    leaks: q below LEVEL and rho in the direction of leakage; not specific: so too, but not once the mean delta under
    the other sources is held fixed; against: q below LEVEL in the other direction; no gradient: neither; undefined: rho
    has no meaning.
    """
    if row["rho"] != row["rho"]:
        return "undefined"
    if not row["q"] < LEVEL:
        return "no gradient"
    direction = row["leak_direction"]
    if row["rho"] * direction < 0:
        return "against"
    controlled = row["partial_rho"] == row["partial_rho"]
    holds = row["p_partial"] < LEVEL and row["partial_rho"] * direction > 0
    return "leaks" if holds or not controlled else "not specific"


def directions(table: "pd.DataFrame") -> dict[str, int]:
    """How many cells have a rho, how many of them p below LEVEL, and how many of these point to leakage or away."""
    known = table[table["p"].notna()]
    significant = known[known["p"] < LEVEL]
    leak = int((significant["rho"] * significant["leak_direction"] > 0).sum())
    return {"cells": len(known), "significant": len(significant), "leak": leak, "against": len(significant) - leak}


def by_category(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per cell, category of persona and whether those are related to the source: mean delta, rho within.

    In the panel's order of categories, the related first. Below FEW personas rho is left out: among so few almost any
    order is "perfect".
    """

    others = bystanders(frame)
    names = zip(others["source"], others["related_to"], strict=True)
    order = {name: place for place, name in enumerate(frame["category"].unique())}
    kinds = others.assign(
        related_to_source=[source in related.split() for source, related in names],
        cell=others.groupby(CELL, sort=False).ngroup(),
        place=others["category"].map(order),
    ).sort_values(["cell", "place", "related_to_source"], ascending=[True, True, False], kind="stable")
    groups = kinds.groupby([*CELL, "category", "related_to_source"], sort=False)
    means = {"n": ("delta", "count"), "mean_delta": ("delta", "mean"), "mean_cosine": ("cosine", "mean")}
    table = groups.agg(unit=("unit", "first"), **means)
    cosine, delta = (kinds[name].to_numpy(float) for name in ("cosine", "delta"))
    members = [groups.indices[key] for key in table.index]
    correlations = [spearman(cosine[at], delta[at]) if len(at) >= FEW else Correlation(NAN, NAN, 0) for at in members]
    return table.reset_index().assign(rho=[one.rho for one in correlations], p=[one.p for one in correlations])


def by_layer(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per cell and cosine definition that was measured: rho and p over its bystanders.

    All but the definition fixed beforehand (`headline`) are exploratory: the best of many is not evidence.
    """
    import pandas as pd

    definitions = [name for name in frame.columns if name.startswith("cosine_")]
    definitions.sort(key=lambda name: (name.endswith("raw"), int(name.split("_")[1])))
    rows = []
    for cell, one in cells(bystanders(frame)):
        fixed, unit = one["headline"].iloc[0], {"unit": one["unit"].iloc[0]}
        cosines = {name.removeprefix("cosine_"): one[name] for name in definitions}
        cosines |= {fixed: one["cosine"]} if cosines else {}  # an outside file may have it in the main column alone
        for short, cosine in cosines.items():
            tested, kind = spearman(cosine, one["delta"]), {"cosine": short, "headline": short == fixed}
            rows += [cell | unit | kind | {"n": tested.n, "rho": tested.rho, "p": tested.p}] if tested.n else []
    return pd.DataFrame(rows)
