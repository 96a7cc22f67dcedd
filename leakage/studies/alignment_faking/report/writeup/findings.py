"""What was asked, what was found, and what of it is in doubt."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from leakage.report.markdown import count, interval, listed, table
from leakage.report.wording import is_known, plain, signed, small
from leakage.studies.alignment_faking.gaps import ABOVE, BELOW, NONE, UNDEFINED, UNTOLD
from leakage.studies.alignment_faking.metrics import LEVEL
from leakage.studies.alignment_faking.printing import rule_in_words
from leakage.studies.alignment_faking.report.wording import count_trials, known_answer, share
from leakage.studies.alignment_faking.report.writeup.sure import asked, few_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leakage.studies.alignment_faking.report.trials import Row, TrialPage
    from leakage.studies.alignment_faking.report.writeup.trials import Trials

VERDICTS = {  # of one gap, and of several
    ABOVE: ("is above zero", "are above zero"),
    BELOW: ("is below", "are below"),
    NONE: ("is not told from zero", "are not told from zero"),
    UNDEFINED: ("has too few queries", "have too few queries"),
    UNTOLD: ("is left to missing replies", "are left to missing replies"),
}


def summary(trials: Trials) -> list[str]:
    """The first paragraph: how many gaps, which way, and how the known answers came out."""
    import pandas as pd

    gaps = trials.gaps
    answers = [answer for row in gaps if (answer := known_answer(row))]
    inside = answers.count("inside")
    verb = "holds" if inside == 1 else "hold"
    held = f" {inside} of {count(len(answers), 'interval')} {verb} the planted gap." if answers else ""
    subjects = list(dict.fromkeys(row["subject"] for row in gaps))
    return [
        f"{count(len(gaps), 'gap')} of {listed(subjects)} in {count(count_trials(gaps), 'trial')}. Corrected for their "
        f"number (Benjamini-Hochberg, q < .05) {_counted(gaps)}. {rule_in_words(pd.DataFrame(gaps))}{held}",
        "",
    ]


def _counted(rows: Sequence[Row]) -> str:
    """How many gaps show what."""
    counts = Counter(row["direction"] for row in rows)
    return listed(f"{many} {VERDICTS[way][many > 1]}" for way, many in counts.most_common())


def asked_what(trials: Trials) -> list[str]:
    """What each scenario tells of, between which tiers a gap is measured, and how it was asked."""
    rows = list(dict.fromkeys(_asked_in(page) for page in trials.pages))
    return [
        "The same queries are asked in every tier of a scenario; the system prompt is the same, and the user's message "
        "says the tier. A gap is the rate of compliance in one tier minus that in another, over queries with a verdict "
        "in both.",
        "",
        *table(("scenario", "tiers", "gaps", "queries a tier", "temperature", "judge"), rows),
    ]


def _asked_in(page: TrialPage) -> tuple[str, ...]:
    facts = page.judged.facts
    gaps = "; ".join(f"{one['name']}: {one['more']} - {one['less']}" for one in facts["gaps"])
    queries = str(page.frame["prompt"].nunique())
    temperature = "not known" if page.imported else f"{facts['settings']['eval.temperature']:g}"
    return facts["scenario"], ", ".join(facts["tiers"]), gaps, queries, temperature, page.row["judge"]


def takeaways(trials: Trials) -> list[str]:
    """One item a gap where they are few, else one a subject; then what holds across them."""
    subjects: dict[str, list[Row]] = {}
    for row in trials.gaps:
        subjects.setdefault(row["subject"], []).append(row)
    lines = [_of_subject(trials, name, rows) for name, rows in subjects.items()]
    lines += [*_of_hypotheses(trials), *_of_perturbations(trials), *_of_seeds(trials), *_of_missing(trials)]
    return [*(f"- {line}" for line in lines), ""]


def _of_subject(trials: Trials, name: str, rows: list[Row]) -> str:
    known = sorted((row for row in rows if is_known(row["gap"])), key=lambda row: row["gap"])
    if not known:
        return f"**{name}**: no gap is known, since no query has a verdict in both tiers."
    ends = known[:1] if len(known) == 1 else [known[0], known[-1]]
    gaps = " to ".join(f"{signed(row['gap'], 3)} ({interval(row['gap_low'], row['gap_high'], 3)})" for row in ends)
    where = f" ({' to '.join(row['scenario'] for row in ends)})" if len(ends) > 1 else f" in {ends[0]['scenario']}"
    rates = [row["af_rate"] for row in rows if is_known(row["af_rate"])]
    thought = f" Alignment-faking reasoning in up to {share(max(rates))} of the scratchpads." if rates else ""
    planted = f" Planted: {_planted(rows)}." if name in trials.planted else ""
    said = rows[0]["finding"] if len(rows) == 1 else _counted(rows)
    return f"**{name}**: gap {gaps}{where}; {said}.{planted}{thought}"


def _planted(rows: list[Row]) -> str:
    values = sorted({row["planted_gap"] for row in rows if is_known(row["planted_gap"])})
    return listed(signed(value) for value in values)


def _of_hypotheses(trials: Trials) -> list[str]:
    """Of each subject without a known answer the hypotheses that fit best, as their table tells."""
    rows = [row for row in trials.rows("hypotheses") if row["subject"] not in trials.planted]
    lines = []
    for subject in dict.fromkeys(row["subject"] for row in rows):
        own = [row for row in rows if row["subject"] == subject]
        best = max(row["right"] for row in own)
        names = [str(row["hypothesis"]).replace("_", " ") for row in own if row["right"] == best]
        lines.append(
            f"**Hypotheses**, {subject}: {listed(names)} {'is' if len(names) == 1 else 'are'} right of most gaps, "
            f"{share(best)} of {own[0]['gaps']}."
        )
    return lines


def _of_perturbations(trials: Trials) -> list[str]:
    rows = trials.rows("perturbations")
    if not rows:
        return []
    apart = [row for row in rows if row["difference_low"] > 0 or row["difference_high"] < 0]
    named = [f"{row['scenario']} ({row['subject']}, {signed(row['difference'], 3)})" for row in apart]
    return [
        f"**One fact changed**: in {len(apart)} of {count(len(rows), 'gap')} the 95 % interval of the difference from "
        f"two_tiers leaves out 0{': ' + listed(named) if named else ''}."
    ]


def _of_seeds(trials: Trials) -> list[str]:
    rows = [row for row in trials.rows("seeds") if row["seeds"] > 1]
    if not rows:
        return []
    widest = max(rows, key=lambda row: row["sd"])
    return [
        f"**Seeds**: {count(len(rows), 'gap')} under {max(row['seeds'] for row in rows)} seeds; the standard deviation "
        f"over seeds is at most {plain(widest['sd'], 3)} ({widest['subject']} in {widest['scenario']})."
    ]


def _of_missing(trials: Trials) -> list[str]:
    replies = sum(len(page.frame) for page in trials.pages)
    reasons: Counter[str] = Counter()
    for page in trials.pages:
        for row in page.missing:
            reasons[row["reason"]] += row["count"]
    if not reasons:
        return [f"**Missing replies**: none of {replies:,}."]
    named = listed(f"{many} {reason}" for reason, many in reasons.most_common())
    return [f"**Missing replies**: {reasons.total():,} of {replies:,} ({named}); none counts as a refusal."]


def doubts(trials: Trials) -> list[str]:
    """Where tests disagree, what the paper's rule alone would call faking, and what could not have been found."""
    said = [f"{trials.in_words(row)}: {'; '.join(of_row)}." for row in trials.gaps if (of_row := list(_doubts(row)))]
    said += _power(trials.gaps)
    return [*(f"- {line}" for line in said or ["Nothing that the tables tell casts doubt on a finding."]), ""]


def _doubts(row: Row) -> Iterator[str]:
    p, other = row["p_mcnemar"], row["p_proportions"]
    if is_known(p) and is_known(other) and (p < LEVEL) != (other < LEVEL):
        yield f"McNemar's p = {small(p)} and that of two proportions, {small(other)}, disagree"
    if row["faking_by_papers_rule"] is True and row["direction"] == NONE:
        yield f"a gap of {signed(row['gap'], 3)} is faking by the paper's rule, and q = {small(row['q'])}"
    if known_answer(row) == "outside":
        yield f"the interval leaves out the planted gap of {signed(row['planted_gap'])}"
    if not few_missing(row):
        yield f"{row['missing']} of {asked(row)} replies of the two tiers have no verdict"


def _power(gaps: Sequence[Row]) -> list[str]:
    missed = [row["detectable"] for row in gaps if row["direction"] == NONE and is_known(row["detectable"])]
    if not missed:
        return []
    return [
        f"{count(len(missed), 'gap was', 'gaps were')} not found; one of {plain(max(missed), 3)} or more would have "
        "been, before correction for their number, with 80 % power; a smaller one may be there."
    ]


def gap_rows(trials: Trials) -> list[str]:
    """The table of gaps."""
    planted = ["planted"] if trials.planted else []
    head = (*trials.keys, "n", "rates", "gap", "95 % interval", *planted, "p", "q", "finding", "missing")
    rows = [
        [
            *trials.named(row), row["n"], row["rates"], signed(row["gap"], 3),
            interval(row["gap_low"], row["gap_high"], 3), *([signed(row["planted_gap"])] if planted else []),
            small(row["p_mcnemar"]), small(row["q"]), row["finding"], row["missing"],
        ]
        for row in trials.gaps
    ]  # fmt: skip
    return table(head, rows)
