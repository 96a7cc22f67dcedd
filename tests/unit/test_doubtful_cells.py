"""Cells that a reviewer would doubt: what their numbers are over, and what is said of them."""

import numpy as np
import pandas as pd
import pytest

from leakage.analysis.resampling import interval
from leakage.analysis.statistics import detectable, spearman
from leakage.studies.persona_leakage.analysis.cautions import cautions
from leakage.studies.persona_leakage.analysis.tables import LEVEL, corrected, headline
from tests.unit.frames import cell, grid, normal_pair

TWENTY = np.linspace(0.05, 1, 20)


def said_of(frame):
    """The row of a frame's only cell, and its cautions."""
    table = headline(frame)
    (row,), (said,) = table.to_dict("records"), cautions(table)
    return row, " | ".join(said)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_n_is_that_of_the_pairs_and_who_lacks_something_is_counted(rng):
    cosine, delta = normal_pair(rng, 0.5, 20)
    row, said = said_of(cell(np.where(np.arange(20) < 5, np.nan, cosine), delta))
    assert (row["n"], row["unpaired"]) == (15, 5)
    assert row["detectable"] == detectable(15)
    assert "5 bystanders lack a delta or a cosine, so rho is over the other 15" in said


@pytest.mark.parametrize(("cosine", "changed"), [(np.arange(1, 11) / 10, {9: 0.3}), (np.arange(110) / 110, {79: 0.3})])
def test_a_few_changed_bystanders_have_a_rho_without_an_interval(cosine, changed):
    """Draws that miss the one that changed have no gradient; left out, they took the interval's low end with them."""
    delta = np.zeros(len(cosine))
    delta[list(changed)] = list(changed.values())
    row, said = said_of(cell(cosine, delta))
    assert row["rho"] > 0
    assert np.isnan([row["rho_low"], row["rho_high"]]).all()
    assert "rho has no interval: fewer than 5 bystanders differ" in said


def test_an_interval_holds_its_own_estimate_where_most_deltas_are_none(rng):
    for _ in range(100):
        cosine, delta = normal_pair(rng, 0.5, 30)
        changed = np.where(delta > np.quantile(delta, 0.8), delta, 0.0)
        reach = interval(cosine, changed)
        assert reach.low <= spearman(cosine, changed).rho <= reach.high


@pytest.mark.parametrize(("answers", "words"), [(1, "1 answer before"), (4, "4 answers before"), (5, "")])
def test_a_few_answers_a_persona_are_a_caution(rng, answers, words):
    table = headline(cell(*normal_pair(rng, 0.5, 20))).assign(answers=float(answers))
    (said,) = cautions(table)
    assert [one for one in said if one.startswith("each persona has")] == (
        [f"each persona has {words} and after: take more prompts or samples"] if words else []
    )


def test_what_else_lies_in_the_folder_changes_no_finding(rng):
    """A second judge, a sham and a variant are families of their own."""
    sources = [f"s{i}" for i in range(6)]
    main = grid(sources, lambda place, n: normal_pair(rng, 0.5 if place == 0 else 0.0, n), n=40)
    more = [
        main.assign(judge="claude"),
        main.assign(design="sham", variant="design=sham", train_id="x"),
        main.assign(variant="lora.r=16", train_id="y"),
    ]
    alone, together = headline(main), headline(pd.concat([main, *more]))
    ours = together[(together["judge"] == "rules") & (together["variant"] == "")]
    pd.testing.assert_series_equal(alone["q"], ours["q"].reset_index(drop=True))
    assert alone["finding"].tolist() == ours["finding"].tolist()


def test_of_24_null_cells_beside_a_real_one_hardly_any_is_said_to_leak(rng):
    """400 draws: half of chance points away from leakage, and one real cell makes the others' bound twice as wide."""
    false = 0
    for _ in range(400):
        p, towards = np.append(rng.uniform(size=24), 1e-6), rng.random(24) < 0.5
        q = corrected(pd.DataFrame({"p": p, "n": 110}))["q"].to_numpy()
        assert q[-1] < LEVEL
        false += bool((towards & (q[:-1] < LEVEL)).any())
    assert false / 400 <= 0.07  # .05, and what 400 draws leave open


def test_the_detectable_rho_is_that_of_the_corrected_finding(rng):
    """Among 24 cells of which none was found, a cell needs p < .05 / 24."""
    table = headline(grid(range(24), lambda _, n: normal_pair(rng, 0.0, n), n=20))
    assert set(table["finding"]) == {"no gradient"}
    assert table["detectable"].unique() == pytest.approx([detectable(20, level=0.05 / 24)])
    assert detectable(20, level=0.05 / 24) > detectable(20)


def test_bystanders_that_changed_more_than_the_source_are_counted(rng):
    delta = rng.permutation([*np.linspace(0.91, 1, 43), *np.linspace(0, 0.5, 67)])
    row, said = said_of(cell(rng.normal(size=110), delta))
    assert row["beyond_source"] == 43
    assert "43 of 110 bystanders changed more than the source (+0.90)" in said


def test_answers_that_were_cut_off_are_said(rng):
    frame = cell(*normal_pair(rng, 0.5, 20), cut_off=0.02, base_cut_off=0.4)
    row, said = said_of(frame)
    assert row["cut_off"] == 0.4
    assert "40% of the answers, before or after, were cut off: raise eval.max_new_tokens" in said
    assert "cut off" not in said_of(frame.assign(base_cut_off=0.05))[1]


def test_one_result_told_by_two_cosines_is_no_twin(rng):
    one = cell(*normal_pair(rng, 0.5, 20))
    two = one.assign(cosine=one["cosine"] ** 3, headline="1_centred", variant="headline=1_centred")
    assert headline(pd.concat([one, two]))["same_as"].tolist() == ["", ""]
    other = one.assign(source="comedian", train_id="u")
    assert headline(pd.concat([one, other]))["same_as"].tolist() == [
        "refusal x comedian, seed 42", "refusal x villain, seed 42",
    ]  # fmt: skip


def test_where_all_deltas_are_one_nothing_is_said_of_the_others_ranks():
    _, said = said_of(cell(TWENTY, np.full(20, 0.2)))
    assert "rho has no meaning" in said
    assert "others' ranks" not in said


def test_where_nearly_everyone_is_a_source_it_is_said_that_no_control_was_possible(rng):
    names = [f"persona_{i:03}" for i in range(9)]
    frame = grid(["villain", *names], lambda _, n: normal_pair(rng, 0.9, n), n=10)
    said = cautions(headline(frame))
    assert all(any("whether it is this source cannot be told" in one for one in cell) for cell in said)
