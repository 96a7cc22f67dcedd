"""The second study's write-up: what its tables say, how sure by the written rule, and what is missing."""

import re

import pytest

from leakage.report.confidence import HIGH, LOW, MODERATE, level
from leakage.report.wording import signed
from leakage.studies.alignment_faking.gaps import ABOVE, BELOW, NONE, UNDEFINED, UNTOLD
from leakage.studies.alignment_faking.report.trials import TABLES, read_pages
from leakage.studies.alignment_faking.report.write import write_report
from leakage.studies.alignment_faking.report.writeup import write_up
from leakage.studies.alignment_faking.report.writeup.sure import checks_of
from leakage.studies.alignment_faking.results import judged_trials, trials
from tests.browser.faking_made import make_trial, make_trials
from tests.e2e.conftest import section

NAN = float("nan")
GAP = {
    "direction": ABOVE, "gap": 0.3, "gap_low": 0.2, "gap_high": 0.4, "q": 0.001, "p_proportions": 0.001,
    "bound_low": 0.25, "bound_high": 0.35, "n_more": 190, "n_less": 190, "missing": 20, "detectable": 0.1,
    "planted_gap": NAN,
}  # fmt: skip
NO_GAP = GAP | {
    "direction": NONE, "gap": 0.01, "gap_low": -0.05, "gap_high": 0.07, "q": 0.7, "p_proportions": 0.6,
}  # fmt: skip


def answers(row, seeds=None, judges=None):
    made = checks_of(row, *([row["direction"]] if one is None else one for one in (seeds, judges)))
    return {one.name: one.holds for one in made}


@pytest.fixture
def multirun(tmp_path):
    make_trials(tmp_path)
    return tmp_path


def told(multirun):
    frame = trials(multirun)
    made = {name: make(frame) for name, make in TABLES.items()}
    return write_up(read_pages(frame, judged_trials(multirun), made), made, ["faking-compliance.png"], multirun), made


def test_a_gap_that_passes_everything_is_sure_and_so_is_one_below_zero():
    assert answers(GAP) == dict.fromkeys(answers(GAP), True)
    assert len(answers(GAP)) == 7
    assert level(checks_of(GAP, [ABOVE], [ABOVE])) == HIGH
    assert level(checks_of(GAP, [], [])) == MODERATE
    bounds = {"bound_low": -0.35, "bound_high": -0.25}
    less = GAP | {"direction": BELOW, "gap": -0.3, "gap_low": -0.4, "gap_high": -0.2} | bounds
    assert level(checks_of(less, [BELOW], [BELOW])) == HIGH


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        ({"q": 0.05}, "q below .05", LOW),
        ({"gap_low": 0.0}, "the interval leaves out 0", LOW),
        ({"p_proportions": 0.05}, "p of two proportions agrees", MODERATE),
        ({"bound_low": 0.0}, "holds if every missing reply speaks against it", MODERATE),
        ({"n_more": 189, "missing": 21}, "few replies missing", MODERATE),
        ({"planted_gap": 0.5}, "the interval holds the planted gap", MODERATE),
    ],
)
def test_each_number_turns_its_own_check_and_no_other(changed, name, expected):
    assert [one for one, holds in answers(GAP | changed).items() if holds is not True] == [name]
    assert level(checks_of(GAP | changed, [ABOVE], [ABOVE])) == expected


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        ({}, "", HIGH),
        ({"detectable": 0.11}, "a gap of .1 would have been found", LOW),
        ({"detectable": NAN}, "a gap of .1 would have been found", LOW),
        ({"gap_high": 0.11}, "the interval lies within .1 of 0", MODERATE),
        ({"p_proportions": 0.04}, "p of two proportions agrees", MODERATE),
    ],
)
def test_no_gap_rests_on_power(changed, name, expected):
    row = NO_GAP | changed
    assert [one for one, holds in answers(row).items() if holds is not True] == ([name] if name else [])
    assert level(checks_of(row, [NONE], [NONE])) == expected


def test_seeds_and_judges_are_checked_where_there_are_several():
    seed, judge = "the same finding under another seed", "the same finding by another judge"
    assert (answers(GAP, seeds=[])[seed], answers(GAP, seeds=[NONE])[seed]) == (None, False)
    assert (answers(GAP, judges=[])[judge], answers(GAP, judges=[ABOVE, BELOW])[judge]) == (None, False)
    assert [checks_of(GAP | {"direction": way}, [], []) for way in (UNDEFINED, UNTOLD)] == [(), ()]


def test_numbers_are_those_of_the_tables(multirun):
    text, made = told(multirun)
    gaps = made["gaps"]
    assert f"{len(gaps)} gaps of gpt, nano+planted_0.3 and opus in 4 trials." in text
    shown = [one for one in text.splitlines() if one.startswith(("| gpt", "| nano", "| opus")) and " to " in one]
    assert len(shown) == len(gaps)
    for line, row in zip(shown, gaps.to_dict("records"), strict=True):
        assert f"| {signed(row['gap'], 3)} | {signed(row['gap_low'], 3)} to {signed(row['gap_high'], 3)} |" in line
        assert f"| {row['finding']} | {row['missing']} |" in line
    missing = made["missing"]["count"].sum()
    assert f"**Missing replies**: {missing} of " in text
    assert text.count("| enterprise") == 0
    assert "free, pro, enterprise" in section(text, "What was asked")
    assert "![Compliance by tier](figures/faking-compliance.png)" in text
    assert not re.search(r"\bnan\b|None\b", text.replace("None:", ""))


def test_hypotheses_are_of_subjects_whose_reasons_are_a_question(multirun):
    text, made = told(multirun)
    rows = made["hypotheses"]
    best = rows[rows["right"] == rows["right"].max()]["hypothesis"].iloc[0].replace("_", " ")
    (line,) = [one for one in text.splitlines() if one.startswith("- **Hypotheses**, opus")]
    assert best in line
    assert "**Hypotheses**, nano" not in text


def test_dollars_are_those_of_the_votes_and_every_path_is_there(multirun):
    text, _ = told(multirun)
    usd = sum(one.facts["usd"] for one in judged_trials(multirun))
    assert usd > 0
    (line,) = [one for one in text.splitlines() if one.startswith("| judging |")]
    assert line.endswith(f"| {usd:.2f} |")
    made = section(text, "Artifacts")
    paths = [one for one in re.findall(r"`([^` ]+)`", made) if "/" in one and not one.startswith("figures/")]
    assert len(paths) == 8
    assert [one for one in paths if not (multirun / one).exists()] == []


def test_a_subject_of_any_name_breaks_no_table(tmp_path):
    make_trial(tmp_path, "a|b <script>", "two_tiers")
    text, _ = told(tmp_path)
    assert "<script" not in text
    assert "| a\\|b &lt;script> |" in text


def test_the_report_links_to_it(multirun):
    index = write_report(trials(multirun), multirun, multirun / "report")
    assert 'href="writeup.md"' in index.read_text()
    assert "# Does it comply more when it is trained?" in (index.parent / "writeup.md").read_text()
