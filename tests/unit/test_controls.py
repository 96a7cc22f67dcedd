"""Controls on grids whose answer is planted: a common factor, a rival, a sham, seeds, twins."""

import numpy as np
import pandas as pd
import pytest

from leakage.studies.persona_leakage.analysis.cautions import cautions
from leakage.studies.persona_leakage.analysis.controls import against_designs, between_sources, mismatched, specificity
from leakage.studies.persona_leakage.analysis.outliers import monotone, outliers
from leakage.studies.persona_leakage.analysis.seeds import by_seed, seed_pairs
from leakage.studies.persona_leakage.analysis.tables import headline
from tests.unit.frames import cell, grid, normal_pair

SOURCES = ("villain", "comedian", "assistant")
SIX = (*SOURCES, "qwen_default", "software_engineer", "kindergarten_teacher")


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def common(rng, sources=SOURCES):
    """Every source's deltas and cosines follow one factor: rho is high and tells nothing of the source.

    What deltas have of their own is small: the mean under the other sources can only remove a factor it shows.
    """
    factor = rng.normal(size=110)
    return grid(sources, lambda _, n: (factor + rng.normal(scale=0.5, size=n), factor + rng.normal(scale=0.1, size=n)))


@pytest.fixture
def shared(rng):
    return common(rng)


@pytest.fixture
def own(rng):
    """Each source's deltas follow its own cosines alone."""
    return grid(SOURCES, lambda _, n: normal_pair(rng, 0.7, n))


def row(table, **told):
    for name, value in told.items():
        table = table[table[name] == value]
    (one,) = table.to_dict("records")
    return one


def test_a_common_factor_is_named_not_specific_and_a_true_gradient_leaks(rng, own):
    tables = pd.concat([headline(common(rng, sources=SIX)) for _ in range(8)])
    assert (tables["rho"] > 0.6).all()
    assert (tables["finding"] == "not specific").mean() > 0.85  # chance lets some through
    assert tables["partial_rho"].mean() < 0.1
    assert set(headline(own)["finding"]) == {"leaks"}
    assert headline(own)["partial_rho"].min() > 0.5


def test_the_mismatched_matrix_tells_the_two_apart(shared, own):
    for frame, high in ((shared, True), (own, False)):
        table = mismatched(frame)
        assert len(table) == 9
        assert (table.loc[table["matched"], "rho"] > 0.5).all()
        assert ((table.loc[~table["matched"], "rho"].abs() > 0.5) == high).all()
        assert ((between_sources(frame)["rho"] > 0.5) == high).all()
        assert ((between_sources(frame)["p"] < 1e-6) >= high).all()


def test_no_source_is_among_the_personas_of_a_mismatched_comparison(own):
    named = own.assign(persona=own["persona"].replace({"persona_000": "comedian", "persona_001": "assistant"}))
    assert set(mismatched(named)["n"]) == {108}


@pytest.mark.parametrize("direction", [1, -1])
def test_the_rival_is_the_strongest_in_the_direction_of_leakage(rng, direction):
    x, y = direction * rng.normal(size=110), rng.normal(size=110)
    cosines = (x, x - y, x + 0.3 * y)  # of villain, of the comedian, of the assistant
    frame = grid(SOURCES, lambda place, _: (direction * cosines[place], (y, x, -x)[place]), leak_direction=direction)
    found = row(specificity(frame), source="villain")
    assert found["rival"] == "assistant"
    assert found["rival_rho"] == pytest.approx(
        pd.Series(y).corr(pd.Series(direction * cosines[2]), "spearman"), abs=1e-9
    )


def test_one_source_alone_has_no_controls_and_still_a_finding(own):
    alone = headline(own[own["source"] == "villain"])
    assert alone["partial_rho"].isna().all()
    assert alone["finding"].tolist() == ["leaks"]


def test_a_gradient_against_leakage_and_none_at_all_are_told(rng):
    down = cell(*normal_pair(rng, -0.7, 110))
    none = cell(*normal_pair(rng, 0.0, 110), source="comedian")
    table = headline(pd.concat([down, none]))
    assert table["finding"].tolist() == ["against", "no gradient"]


def test_constant_deltas_and_a_missing_baseline_are_said(rng):
    x = rng.normal(size=20)
    flat, unknown = cell(x, np.zeros(20)), cell(x, np.full(20, np.nan), source="comedian")
    table = headline(pd.concat([flat, unknown]))
    assert table["finding"].tolist() == ["undefined", "undefined"]
    said, missing = cautions(table)
    assert said[0].startswith("rho has no meaning: the deltas of all 20 bystanders")
    assert missing[0].startswith("no bystander has a delta")


def test_heavy_ties_are_said(rng):
    x, y = normal_pair(rng, 0.8, 110)
    (said,) = cautions(headline(cell(x, np.where(y > 0.5, y, 0))))
    assert any("of the bystanders have the very same delta" in one for one in said)


def test_bit_identical_cells_name_each_other(own):
    villain = own[own["source"] == "villain"]
    double = pd.concat([own, villain.assign(variant="lora.r=16", train_id="other")])
    table = headline(double)
    assert row(table, source="villain", variant="")["same_as"] == "refusal x villain, seed 42 lora.r=16"
    assert row(table, source="comedian")["same_as"] == ""
    assert any("bit for bit" in one for one in cautions(table)[0])


def test_a_source_that_moved_the_wrong_way_was_not_taught(own):
    own.loc[own["is_source"] & (own["source"] == "villain"), "delta"] = -0.1
    said = dict(zip(SOURCES, cautions(headline(own)), strict=True))
    assert any("did not take up the behavior (-0.10)" in one for one in said["villain"])
    assert not any("did not take up" in one for one in said["comedian"])


def test_leaving_out_names_that_share_a_word_is_said_where_it_matters(rng):
    """Three namesakes make the whole gradient."""
    x, y = rng.normal(size=(2, 14))
    x[2:5], y[2:5] = [5, 6, 7], [5, 6, 7]
    table = headline(cell(x, y))
    assert table["shared_words"].tolist() == [3]
    assert (table["p"] < 0.05).all() == any("share a word" in one for one in cautions(table)[0])
    assert table["rho_unshared"].item() == pytest.approx(
        pd.Series(np.delete(x, [2, 3, 4])).corr(pd.Series(np.delete(y, [2, 3, 4])), "spearman")
    )


def test_a_sham_that_does_the_same_is_said(rng):
    x, y = normal_pair(rng, 0.6, 110)
    real = cell(x, y)
    for sham_deltas, alike in ((y + rng.normal(scale=0.2, size=110), True), (rng.normal(size=110), False)):
        sham = cell(x, sham_deltas, design="sham", variant="design=sham", train_id="s")
        frame = pd.concat([real, sham])
        designs = against_designs(frame)
        assert designs["design"].tolist() == ["sham"]
        assert (designs["difference_low"].item() < 0 < designs["difference_high"].item()) == alike
        table = headline(frame)
        assert any("sham adapter" in one for one in cautions(table, designs)[0]) == alike


def test_a_control_is_set_against_the_cell_of_the_same_settings(rng):
    x, y = normal_pair(rng, 0.6, 110)
    cells = [cell(x, y, variant="lora.r=16", train_id="a"), cell(x, -y, train_id="b")]
    cells.append(cell(x, y, design="sham", variant="design=sham lora.r=16", train_id="c"))
    assert against_designs(pd.concat(cells))["train_id"].tolist() == ["a"]


def test_seeds_are_taken_together_and_their_agreement_told(rng):
    x, y = normal_pair(rng, 0.6, 110)
    noisy = [y + rng.normal(scale=0.3, size=110) for _ in range(3)]
    frame = pd.concat([cell(x, one, seed=seed) for seed, one in zip((42, 43, 44), noisy, strict=True)])
    frame.loc[frame["is_source"], "delta"] = [0.7, 0.8, 0.9]
    (told,) = by_seed(frame).to_dict("records")
    assert (told["source_delta"], told["sd_source_delta"]) == pytest.approx((0.8, 0.1))
    means = [one.mean() for one in noisy]
    assert (told["mean_bystander_delta"], told["sd_bystander_delta"]) == pytest.approx(
        (np.mean(means), np.std(means, ddof=1))
    )
    assert told["seeds"] == 3
    assert told["rho_low"] < told["mean_rho"] < told["rho_high"]
    assert told["agreement"] == pytest.approx(
        np.mean([pd.Series(noisy[a]).corr(pd.Series(noisy[b]), "spearman") for a, b in ((0, 1), (0, 2), (1, 2))])
    )
    pairs = seed_pairs(frame)
    assert len(pairs) == 3 * 110
    first = row(pairs, persona="persona_007", seed=42, other_seed=44)
    assert (first["delta"], first["other_delta"]) == (noisy[0][7], noisy[2][7])


def test_a_planted_outlier_is_named_and_noise_is_not(rng):
    x = rng.normal(size=110)
    y = 0.1 * x + rng.uniform(-0.05, 0.05, size=110)
    y[17] += 0.5
    assert outliers(cell(x, y))["persona"].tolist() == ["persona_017"]
    assert outliers(cell(x, np.zeros(110))).empty


def test_what_cosine_puts_in_perfect_order_is_no_outlier():
    """Most deltas are none and the rest rises with cosine; a line would be flat, and rho is all that is claimed."""
    rising = np.array([*[0.0] * 15, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert outliers(cell(np.arange(20) / 20, rising)).empty
    assert outliers(cell(-np.arange(20) / 20, rising)).empty


def test_the_monotone_fit_takes_equal_cosines_together():
    assert monotone(np.array([1.0, 1, 2, 3]), np.array([0.0, 2, 4, 3])).tolist() == [1.0, 1.0, 3.5, 3.5]
    assert monotone(np.array([1.0, 2, 3]), np.array([3.0, 1, 2])).tolist() == [3.0, 1.5, 1.5]
