"""How the first study's write-up is worded: ranges of correlations and changes, findings."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from leakage.report.markdown import listed
from leakage.report.wording import is_known, signed
from leakage.studies.persona_leakage.report.wording import delta

VERDICTS = {  # of one cell, and of several
    "leaks": ("leaks", "leak"),
    "not specific": ("is not specific to its source", "are not specific to their source"),
    "against": ("points the other way", "point the other way"),
    "no gradient": ("shows no gradient", "show no gradient"),
    "undefined": ("has no defined rho", "have no defined rho"),
}


def rhos(values: Iterable[float]) -> str:
    """The range of correlations, or the one there is."""
    known = sorted(value for value in values if is_known(value))
    return _between(known, signed)


def deltas(values: Iterable[float], unit: str) -> str:
    """The range of changes with their unit."""
    known = sorted(value for value in values if is_known(value))
    if not known:
        return "not known"
    return _between(known, lambda value: delta(value, unit)) + ("" if unit == "rate" else f" {unit}")


def _between(known: Sequence[float], written: Callable[[float], str]) -> str:
    if not known:
        return "undefined"
    low, high = written(known[0]), written(known[-1])
    return low if low == high else f"{low} to {high}"


def verdicts(findings: Iterable[str]) -> str:
    """How many cells show what: "3 leak and 1 shows no gradient"."""
    counts = Counter(findings)
    return listed(f"{many} {VERDICTS[name][many > 1]}" for name, many in counts.most_common())
