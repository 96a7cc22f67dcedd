"""The write-up says what the numbers say, and changes when they do."""

import re

import numpy as np
import pandas as pd
import pytest

from leakage.report.markdown import count, listed, table
from leakage.studies.persona_leakage.report.cells import read_cells
from leakage.studies.persona_leakage.report.sections import tables
from leakage.studies.persona_leakage.report.writeup import write_up
from tests.unit.frames import cell, grid, normal_pair

SOURCES = ("villain", "comedian", "assistant")


@pytest.fixture
def written(tmp_path):
    """The write-up of a frame that came without folders."""

    def write(frame, figures=()):
        made = tables(frame)
        return write_up(read_cells(frame, tmp_path, made["designs"]), made, figures)

    return write


@pytest.fixture
def frame():
    rng = np.random.default_rng(3)
    leaking = grid(SOURCES, lambda _, n: normal_pair(rng, 0.7, n))
    other = grid(SOURCES[:2], lambda _, n: normal_pair(rng, 0.7, n), behavior="capability", taught="capability",
                 leak_direction=-1, unit="pp")  # fmt: skip
    return pd.concat([leaking, other], ignore_index=True)


def line(text, start):
    (found,) = [one for one in text.splitlines() if one.startswith(start)]
    return found


def test_cells_are_counted_by_what_they_show(written, frame):
    told = written(frame)
    assert "5 cells: refusal and capability taught to villain, comedian and assistant, 1 seed." in told
    assert "p is below .05 in 5 of 5 correlations: 3 in the direction of leakage, 2 against it." in told
    assert "others held fixed: 3 leak and 2 point the other way." in told
    assert line(told, "- capability taught to villain").endswith("points away from leakage.")


def test_ranges_are_those_of_the_table(written, frame):
    rows = frame[~frame["is_source"] & (frame["behavior"] == "refusal")].groupby("source")
    rhos = sorted(one["cosine"].corr(one["delta"], "spearman") for _, one in rows)
    assert f"rho {rhos[0]:+.2f} to {rhos[-1]:+.2f} over 3 cells, 3 leak." in line(written(frame), "- **refusal**")


def test_a_claim_that_a_control_breaks_is_listed_and_one_that_holds_is_not(written):
    """The cosines of two sources are the same, so neither's rho is its own."""
    rng = np.random.default_rng(4)
    x, y = normal_pair(rng, 0.7, 110)
    other = 0.6 * x + rng.normal(size=110)
    told = written(grid(SOURCES[:2], lambda place, _: (x, (y, other)[place])))
    assert "cosine to comedian predicts these deltas as well" in line(told, "- refusal taught to villain")
    held = written(grid(SOURCES[:2], lambda _, n: normal_pair(rng, 0.8, n)))
    assert "survives what could be tried: the other sources' mean delta held fixed, trained" in held


def test_without_a_gradient_it_says_what_could_not_have_been_found(written):
    rng = np.random.default_rng(5)
    told = written(cell(*rng.normal(size=(2, 110))))
    assert "1 cell shows no gradient; one of |rho| = 0.27 or more would have been found" in told
    assert "One source only: nothing tells whether rho is its own." in told


def test_seeds_and_shams_are_told_where_they_were_run(written):
    rng = np.random.default_rng(6)
    x, y = normal_pair(rng, 0.8, 110)
    cells = [cell(x, y + rng.normal(scale=0.2, size=110), seed=seed, train_id=f"t{seed}") for seed in (42, 43)]
    alone = written(pd.concat(cells, ignore_index=True))
    assert "1 pair of behavior and source ran under 2 seeds" in alone
    assert "Sham" not in alone
    sham = cell(x, rng.normal(size=110), design="sham", variant="design=sham", train_id="s")
    told = written(pd.concat([*cells, sham], ignore_index=True))
    assert "in 1 of 1 the 95 % interval of the difference leaves out 0" in told
    assert "### m: other settings" in told


def test_what_is_not_part_of_a_result_is_said(written, frame):
    told = written(frame)
    assert told.count("Not part of this result") == 6
    assert "drawn by `make figures`" in told
    assert "![Change" in written(frame, ["m-scatter.png"])


def test_no_number_is_missing_or_written_as_nan(written, frame):
    frame.loc[frame["source"] == "comedian", "delta"] = np.nan
    told = written(frame)
    assert not re.search(r"\bnan\b|None", told)
    assert "have no defined rho" in told


def test_names_are_text_wherever_they_stand(written):
    rng = np.random.default_rng(7)
    odd = cell(*normal_pair(rng, 0.8, 20))
    odd.loc[3, ["persona", "delta"]] = ["</b><img src=x>\n# big", 9.0]
    told = written(odd)
    assert "&lt;/b>&lt;img src=x> # big" in line(told, "- **Outliers**")
    assert "<img" not in told
    assert "taught to &lt;script>" in written(cell(*normal_pair(rng, 0.8, 20), source="<script>"))


def test_text_of_a_model_cannot_break_a_table():
    lines = table(("a", "b"), [["one|two\nthree", "<script>"]])
    assert lines[2] == "| one\\|two three | &lt;script> |"
    assert table(("a",), []) == []


def test_counts_and_lists_are_english():
    assert (count(1, "cell"), count(2, "cell"), count(2, "cell was", "cells were")) == (
        "1 cell",
        "2 cells",
        "2 cells were",
    )
    assert (listed([]), listed("a"), listed("ab"), listed("abc")) == ("", "a", "a and b", "a, b and c")
