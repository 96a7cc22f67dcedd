"""Confidence follows a written rule: each check turns with its own number, and the level with how many hold."""

import itertools

import pytest

from leakage.report.confidence import HIGH, LOW, MODERATE, NONE, Check, Rated, level, rated
from leakage.report.wording import NOTHING
from leakage.studies.persona_leakage.report.writeup.sure import checks_of

NAN = float("nan")
LEAKS = {
    "finding": "leaks", "leak_direction": 1, "rho": 0.5, "rho_low": 0.3, "rho_high": 0.7, "q": 0.001,
    "p_permutation": 0.001, "trained_negatives": 2, "rho_untrained": 0.4, "p_untrained": 0.01, "shared_words": 3,
    "rho_unshared": 0.4, "p_unshared": 0.01, "partial_rho": 0.4, "p_partial": 0.01, "reliability": 0.8, "missing": 0,
    "cut_off": 0.05, "detectable": 0.28, "source_delta": 0.9, "mean_bystander_delta": 0.1,
}  # fmt: skip
SHAM = {"difference_low": 0.1, "difference_high": 0.5}
NO_GRADIENT = LEAKS | {"finding": "no gradient", "rho": 0.05, "rho_low": -0.2, "rho_high": 0.25, "q": 0.6}


def answers(row, sham=SHAM, other_seeds=None):
    made = checks_of(row, sham, [row["finding"]] if other_seeds is None else other_seeds)
    return {one.name: one.holds for one in made}


def held(*answers, needed=0):
    return [Check(f"check {place}", answer, place < needed) for place, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        (held(*[True] * 10, needed=3), HIGH),
        (held(*[True] * 9, None, needed=3), HIGH),
        (held(*[True] * 8, None, None, needed=3), MODERATE),
        (held(*[True] * 9, False, needed=3), MODERATE),
        (held(*[True] * 7, False, False, None, needed=3), MODERATE),
        (held(*[True] * 6, False, False, None, None, needed=3), LOW),
        (held(True, True, False, *[True] * 7, needed=3), LOW),
        (held(None, *[True] * 9, needed=1), LOW),
        (held(*[True] * 4, False, False, needed=2), MODERATE),
        (held(*[True] * 3, False, None, None, needed=2), LOW),
        ([], NONE),
    ],
)
def test_the_level_is_that_of_the_rule(checks, expected):
    assert level(checks) == expected


def test_no_check_that_turns_bad_raises_the_level():
    order = [LOW, MODERATE, HIGH]
    every = [held(*one, needed=2) for one in itertools.product([True, None, False], repeat=6)]
    assert {level(checks) for checks in every} == set(order)
    for checks in every:
        for place, one in enumerate(checks):
            for worse in (None, False) if one.holds else (False,):
                turned = [*checks[:place], Check(one.name, worse, one.needed), *checks[place + 1 :]]
                assert order.index(level(turned)) <= order.index(level(checks))


def test_a_gradient_that_passes_everything_holds_in_all_ten_checks():
    assert answers(LEAKS) == dict.fromkeys(answers(LEAKS), True)
    assert len(answers(LEAKS)) == 10
    assert level(checks_of(LEAKS, SHAM, ["leaks"])) == HIGH
    against = LEAKS | {
        "finding": "against", "rho": -0.5, "rho_low": -0.7, "rho_high": -0.3, "rho_untrained": -0.4,
        "rho_unshared": -0.4, "partial_rho": -0.4,
    }  # fmt: skip
    assert level(checks_of(against, {"difference_low": -0.5, "difference_high": -0.1}, ["against"])) == HIGH


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"q": 0.05}, "q below .05"),
        ({"rho_low": 0.0}, "the interval leaves out 0"),
        ({"p_permutation": 0.05}, "p by permutation below .05"),
        ({"p_untrained": 0.05}, "holds without trained negatives"),
        ({"rho_untrained": -0.4}, "holds without trained negatives"),
        ({"p_unshared": 0.2}, "holds without shared names"),
        ({"p_partial": 0.05}, "specific to the source (partial rho)"),
        ({"partial_rho": -0.4}, "specific to the source (partial rho)"),
        ({"reliability": 0.79}, "deltas reliable to .8"),
        ({"missing": 1}, "answers whole and all verdicts readable"),
        ({"cut_off": 0.1}, "answers whole and all verdicts readable"),
    ],
)
def test_each_number_turns_its_own_check_and_no_other(changed, name):
    assert [one for one, holds in answers(LEAKS | changed).items() if holds is not True] == [name]
    assert answers(LEAKS | changed)[name] is False


def test_shams_and_seeds_are_checked_where_they_were_run_and_open_where_not():
    near = {"difference_low": -0.01, "difference_high": 0.5}
    assert answers(LEAKS, sham=near)["differs from a sham adapter"] is False
    assert answers(LEAKS, sham=None)["differs from a sham adapter"] is None
    seed = "the same finding under another seed"
    assert [answers(LEAKS, other_seeds=one)[seed] for one in ([], ["leaks"], ["leaks", "no gradient"])] == [
        None, True, False,
    ]  # fmt: skip
    assert answers(LEAKS | {"partial_rho": NAN, "p_partial": NAN})["specific to the source (partial rho)"] is None
    unknown = {name: value for name, value in LEAKS.items() if name != "reliability"}
    assert answers(unknown)["deltas reliable to .8"] is None


def test_what_is_not_there_cannot_carry_a_gradient():
    none = LEAKS | {"trained_negatives": 0, "rho_untrained": NAN, "p_untrained": NAN}
    assert answers(none)["holds without trained negatives"] is True


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        ({}, "", HIGH),
        ({"detectable": 0.31}, "a |rho| of .3 would have been found", LOW),
        ({"reliability": 0.79}, "deltas reliable to .8", LOW),
        ({"rho_high": 0.31}, "the interval lies within .3 of 0", MODERATE),
        ({"source_delta": -0.1}, "the source took the behavior up, more than bystanders", MODERATE),
        ({"source_delta": 0.1}, "the source took the behavior up, more than bystanders", MODERATE),
    ],
)
def test_no_gradient_rests_on_power_and_reliability(changed, name, expected):
    row = NO_GRADIENT | changed
    assert [one for one, holds in answers(row).items() if holds is not True] == ([name] if name else [])
    assert level(checks_of(row, SHAM, ["no gradient"])) == expected


def test_an_undefined_rho_has_no_confidence():
    assert checks_of(LEAKS | {"finding": "undefined"}, None, []) == ()


def test_what_could_be_made_nowhere_is_told_once_and_what_fails_in_its_row():
    one = Rated(("refusal", "villain"), "leaks", (Check("a", True, True), Check("b", False), Check("c", None)))
    other = Rated(("refusal", "hero"), "leaks", (Check("a", True, True), Check("b", None), Check("c", None)))
    lines = rated([one, other, Rated(("refusal", "jester"), "undefined", ())], ("behavior", "source"))
    assert "2 findings: 2 low." in lines[0]
    assert "- Checks where the finding is “leaks”: *a*, b and c." in lines
    assert "In no case could be checked: c." in lines
    assert f"| refusal | villain | leaks | low | b | {NOTHING} |" in lines
    assert f"| refusal | hero | leaks | low | {NOTHING} | b |" in lines
    assert f"| refusal | jester | undefined | none | {NOTHING} | {NOTHING} |" in lines
