"""What a careful reader would say about a cell, each sentence with the number it rests on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leakage.analysis.statistics import NAN
from leakage.studies.persona_leakage.analysis.cells import CELL
from leakage.studies.persona_leakage.analysis.tables import LEVEL

if TYPE_CHECKING:
    import pandas as pd

MANY_TIES = 0.5
MANY_CUT_OFF = 0.1
MANY_BEYOND = 0.05
MANY_AT_BOUND = 0.5
FEW = 5  # answers of a persona
NOISY = 0.7  # a reliability below which rho loses a sixth of its size or more
HALF = 0.5
CLOSE = 0.1  # two rhos no further apart than this are called alike
Row = dict[Any, Any]


def cautions(table: "pd.DataFrame", designs: "pd.DataFrame | None" = None) -> list[tuple[str, ...]]:
    """For each row of the headline table, its warnings; `designs`, from `controls.against_designs`, adds the sham's."""
    shams: dict[Any, Row] = {}
    if designs is not None:
        shams = {_key(row): row for row in designs.to_dict("records") if row["design"] == "sham"}
    by_cell = []
    for row in table.to_dict("records"):
        sentences = [*_of_data(row), *_of_source(row), *_of_bounds(row), *_of_chance(row), *_of_noise(row)]
        by_cell.append((*sentences, *doubts(row, shams.get(_key(row)))))
    return by_cell


def doubts(row: Row, sham: Row | None = None) -> tuple[str, ...]:
    """The controls that a row of the headline table does not survive, its sham adapter's among them."""
    return (*_of_controls(row), *_of_sham(row, sham))


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in CELL)


def _of_data(row: Row) -> Iterator[str]:
    """What is missing or degenerate."""
    if row["n"] and row["unpaired"]:
        yield f"{row['unpaired']} bystanders lack a delta or a cosine, so rho is over the other {row['n']}"
    if row["mean_bystander_delta"] != row["mean_bystander_delta"]:
        yield "no bystander has a delta: the baseline or its scores are missing"
    elif row["n"] == 0:
        yield "no bystander has a cosine: the geometry is missing"
    elif row["rho"] != row["rho"]:
        yield f"rho has no meaning: the deltas of all {row['n']} bystanders, or their cosines, are the same or missing"
    if row["missing"] > 0:
        yield f"{row['missing']} verdicts, before and after, could not be read and count nowhere"
    if row["cut_off"] >= MANY_CUT_OFF:
        yield (
            f"{row['cut_off']:.0%} of the answers, before or after, were cut off: raise eval.max_new_tokens, or look "
            "whether they end at all (python -m leakage check)"
        )
    if row["rho"] == row["rho"] and row["rho_low"] != row["rho_low"]:
        yield "rho has no interval: fewer than 5 bystanders differ from the commonest delta, so it rests on these few"
    if MANY_TIES <= row["ties"] < 1:
        yield f"{row['ties']:.0%} of the bystanders have the very same delta, so rho rests on the others' ranks"
    if row["same_as"]:
        yield f"every delta is bit for bit that of {row['same_as']}: one of the two is not what it seems"


def _of_source(row: Row) -> Iterator[str]:
    """Whether anything was taught, and to whom."""
    source, mean, direction = row["source_delta"], row["mean_bystander_delta"], row["leak_direction"]
    if source * direction <= 0:
        yield f"the source itself did not take up the behavior ({_delta(source, row)}), so rho tells nothing of leakage"
    elif abs(source) <= abs(mean):
        yield f"the source changed no more ({_delta(source, row)}) than bystanders on average ({_delta(mean, row)})"
    if row["beyond_source"] > MANY_BEYOND * row["n"]:
        yield f"{row['beyond_source']} of {row['n']} bystanders changed more than the source ({_delta(source, row)})"
    if max(row["mean_low"] * direction, row["mean_high"] * direction) < 0:
        yield f"bystanders moved away from the behavior on average ({_delta(mean, row)}): delta is not leakage alone"


def _of_bounds(row: Row) -> Iterator[str]:
    """Whether there was room to change."""
    if row["source_at_bound"] == 1:
        yield "the source is at its bound: every answer shows the behavior, so that no larger dose can be told from it"
    if row["at_bound"] > MANY_AT_BOUND:
        yield f"{row['at_bound']:.0%} of the bystanders are at the bound, where rho cannot tell them apart"


def _of_noise(row: Row) -> Iterator[str]:
    """Whether a few answers each hide a gradient, or would have hidden the one that was found."""
    reliability, share, few = row["reliability"], _fewer(row), row["answers"]
    if few < FEW:
        yield f"each persona has {few:.0f} answer{'s' * (few > 1)} before and after: take more prompts or samples"
    if reliability < NOISY:
        yield (
            f"much of what tells bystanders apart is the noise of {row['answers']:.0f} answers each (reliability "
            f"{reliability:.2f}), so that no |rho| above {row['ceiling']:.2f} can be seen: take more samples or prompts"
        )
    if row["finding"] in {"leaks", "not specific", "against"} and share > HALF:
        answers = f"{share:.0%} of the answers" if share < 1 else "as many answers once more"
        yield f"with {answers} it would be found in fewer than four of five experiments"


def _fewer(row: Row) -> float:
    """The share of the answers at which rho would have shrunk to what is barely detectable; nan where nothing tells."""
    corrected, reliability = abs(row["rho_corrected"]), row["reliability"]
    if not corrected > row["detectable"] or reliability >= 1:
        return NAN
    needed = (row["detectable"] / corrected) ** 2
    return float(needed * (1 - reliability) / (reliability * (1 - needed)))


def _of_chance(row: Row) -> Iterator[str]:
    """Direction, correction and power."""
    if row["finding"] == "against":
        sign = "rise" if row["rho"] > 0 else "fall"
        yield f"rho points away from leakage ({row['rho']:+.2f}): deltas {sign} with similarity"
    if row["p"] < LEVEL <= row["q"]:
        yield f"p = {row['p']:.2g} does not survive the correction for the number of cells (q = {row['q']:.2g})"
    if (row["p"] < LEVEL) != (row["p_permutation"] < LEVEL) and row["p"] == row["p"]:
        yield f"the t approximation (p = {row['p']:.2g}) and permutation (p = {row['p_permutation']:.2g}) disagree"
    if row["finding"] == "no gradient" and abs(row["rho"]) < row["detectable"]:
        yield f"no gradient was found, and one below |rho| = {row['detectable']:.2f} would likely have been missed"


def _of_controls(row: Row) -> Iterator[str]:
    """Whether it is the source, or only some personas."""
    if row["finding"] == "not specific":
        yield (
            f"given the mean delta under the other sources, rho falls from {row['matched_rho']:+.2f} to "
            f"{row['partial_rho']:+.2f} (p = {row['p_partial']:.2g})"
        )
    if row["n_partial"] == row["n_partial"] and row["partial_rho"] != row["partial_rho"]:
        yield (
            f"whether it is this source cannot be told: only {row['n_partial']:.0f} personas are no source themselves, "
            "or their deltas under the others say all"
        )
    lead = (row["rival_rho"] - row["matched_rho"]) * row["leak_direction"]
    if row["finding"] in {"leaks", "not specific"} and lead > -CLOSE:
        yield (
            f"cosine to {row['rival']} predicts these deltas {'better' if lead > CLOSE else 'as well'} "
            f"({row['rival_rho']:+.2f}) {'than' if lead > CLOSE else 'as'} cosine to {row['source']} "
            f"({row['matched_rho']:+.2f})"
        )
    left_out = {"untrained": "the trained negatives", "unshared": "names that share a word with the source's"}
    for kind, who in left_out.items():
        if row["p"] < LEVEL <= row[f"p_{kind}"]:
            yield f"without {who} rho is {row[f'rho_{kind}']:+.2f} (p = {row[f'p_{kind}']:.2g})"


def _of_sham(row: Row, sham: Row | None) -> Iterator[str]:
    """Whether a sham adapter, trained on the same data with the personas shuffled, does the same."""
    if sham is None or row["finding"] != "leaks":
        return
    low, high, direction = sham["difference_low"], sham["difference_high"], row["leak_direction"]
    if not (low > 0 if direction > 0 else high < 0):
        yield (
            f"a sham adapter has rho {sham['control_rho']:+.2f}; the difference of {sham['difference']:+.2f} "
            f"may be none ({low:+.2f} to {high:+.2f})"
        )


def _delta(value: float, row: Row) -> str:
    return f"{value:+.2f}" if row["unit"] == "rate" else f"{value:+.1f} {row['unit']}"
