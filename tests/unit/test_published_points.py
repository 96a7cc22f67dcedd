"""The published points, read as an outside result, give the published numbers and controls."""

import pandas as pd
import pytest

from leakage.studies.persona_leakage.analysis.controls import between_sources, mismatched
from leakage.studies.persona_leakage.analysis.outliers import outliers
from leakage.studies.persona_leakage.analysis.published import published
from leakage.studies.persona_leakage.analysis.tables import directions, headline
from leakage.studies.persona_leakage.points import read_points

PAIR = ["behavior", "source"]


@pytest.fixture(scope="module")
def frame(request):
    return read_points(request.getfixturevalue("reference") / "published_points.csv")


@pytest.fixture(scope="module")
def table(frame):
    return headline(frame)


@pytest.fixture(scope="module")
def both(table, reference):
    there = pd.read_csv(reference / "headline.csv", dtype={"p_value": str})
    return table.merge(there, on=PAIR, suffixes=("", "_there"), validate="1:1")


def test_twenty_rows_have_the_published_rho_and_mean_delta(both):
    assert len(both) == 20
    assert (both["n"] == 110).all()
    assert (both["rho"] - both["spearman_rho"]).abs().max() < 0.003
    rounding = both["unit"].map({"rate": 0.0005, "pp": 0.05, "points": 0.05})
    assert ((both["mean_bystander_delta"] - both["mean_bystander_delta_there"]).abs() <= rounding * 1.001).all()


def test_p_is_the_published_one_where_that_has_two_digits(both):
    digits = both["p_value"].str.split("e").str[0].str.replace(".", "")
    told = both[digits.str.len() == 2]
    assert len(told) == 20
    assert (told["p"] / told["p_value"].astype(float)).between(0.8, 1.2).all()


def test_partial_correlations_are_the_published_ones(table, reference):
    there = pd.read_csv(reference / "partial.csv")
    both = table.merge(there, on=PAIR, suffixes=("", "_there"), validate="1:1")
    assert len(both) == len(there) == 20
    assert (both["n_partial"] == both["n_there"]).all()
    assert (both["matched_rho"] - both["rho_there"]).abs().max() < 0.002
    assert (both["partial_rho"] - both["partial_rho_there"]).abs().max() < 0.002


def test_the_mismatched_source_matrix_is_the_published_one(frame, reference):
    there = pd.read_csv(reference / "mismatched.csv")
    both = mismatched(frame).merge(
        there, on=["behavior", "cosine_to", "delta_of"], suffixes=("", "_there"), validate="1:1"
    )
    assert len(both) == len(there) == 100
    assert (both["n"] == 106).all()
    assert (both["rho"] - both["rho_there"]).abs().max() < 0.002


def test_four_sources_change_everyone_alike_under_misalignment(frame):
    alike = between_sources(frame)
    alike = alike[(alike["behavior"] == "misalignment") & (alike[["source", "other"]] != "villain").all(axis=1)]
    assert alike["rho"].round(2).between(0.89, 0.95).all()
    assert len(alike) == 6


def test_names_that_share_a_word_are_as_many_as_published(table):
    many = table.groupby("source")["shared_words"].first().to_dict()
    assert many == {
        "villain": 7, "comedian": 11, "assistant": 4, "software_engineer": 7, "kindergarten_teacher": 8,
    }  # fmt: skip


def test_the_published_villain_cell_names_its_outliers(frame):
    far = outliers(frame)
    named = set(far[(far["behavior"] == "capability") & (far["source"] == "villain")]["persona"])
    assert {"nice_villain", "mysterious_person", "joker"} <= named
    # -17.7 at a cosine of .899, where the fit says -15.7: named by a straight line, which is flat here, and by no order
    assert "misanthrope" not in named
    assert len(far) < 277 / 3  # so many were named by a straight line


def test_of_the_projects_own_23_published_rows_20_are_significant_and_7_point_the_other_way():
    assert directions(published()) == {"cells": 23, "significant": 20, "leak": 13, "against": 7}


def test_the_projects_own_copy_is_the_published_one(reference):
    there = pd.read_csv(reference / "headline.csv").rename(columns={"spearman_rho": "rho", "p_value": "p"})
    own = published()
    numbers = ["source_delta", "mean_bystander_delta", "rho", "p"]
    pd.testing.assert_frame_equal(own[[*PAIR, *numbers]], there[[*PAIR, *numbers]])
