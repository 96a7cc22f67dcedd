"""Statistics, geometry and tables, on numbers known beforehand."""

import numpy as np
import pandas as pd
import pytest

from leakage.analysis.printing import as_csv, as_markdown
from leakage.analysis.statistics import spearman
from leakage.studies.persona_leakage.analysis.tables import by_category, by_layer, headline
from leakage.studies.persona_leakage.geometry import centroids, cosine_frame, cosines


def test_no_rho_where_it_has_no_meaning():
    some, same = pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([1.0, 1.0, 1.0, 1.0])
    for x, y in ((some, same), (same, some), (some[:2], some[:2])):
        found = spearman(x, y)
        assert np.isnan(found.rho)
        assert np.isnan(found.p)


def test_missing_values_are_left_out_of_the_pairs():
    x = pd.Series([1.0, 2.0, 3.0, 4.0, np.nan])
    y = pd.Series([1.0, 2.0, 4.0, 3.0, 9.0])
    assert spearman(x, y).n == 4
    assert spearman(x, y).rho == pytest.approx(0.8)


def test_centroids_average_the_questions_of_each_persona():
    states = np.arange(2 * 3 * 1 * 2, dtype=np.float32).reshape(6, 1, 2)  # 2 personas, 3 questions
    assert centroids(states, 2).tolist() == [[[2.0, 3.0]], [[8.0, 9.0]]]


def test_where_all_prompts_are_one_a_centred_cosine_is_none_and_not_one_of_rounding():
    """The first block of a hybrid that looks a few tokens back reads the same end of every prompt."""
    same = np.tile(np.random.default_rng(0).normal(size=48).astype(np.float32), (23, 1))
    assert np.isnan(cosines(same, centred=True)).all()
    assert cosines(same, centred=False) == pytest.approx(1.0)


def test_cosines_raw_and_centred():
    points = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert cosines(points, centred=False).round(9).tolist() == [[1, 0, -1], [0, 1, 0], [-1, 0, 1]]
    shifted = cosines(points + 100, centred=True)
    np.testing.assert_allclose(shifted, cosines(points, centred=True), atol=1e-9)
    assert cosines(points + 100, centred=False).min() > 0.99


def test_the_cosine_frame_has_a_column_for_each_definition():
    points = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
    frame = cosine_frame(["a", "b", "c"], [4, 9], points)
    assert list(frame.columns[2:]) == ["cosine_4_raw", "cosine_4_centred", "cosine_9_raw", "cosine_9_centred"]
    pair = frame[(frame["source"] == "a") & (frame["persona"] == "c")]["cosine_9_raw"].item()
    a, c = points[0, 1], points[2, 1]
    assert pair == pytest.approx(a @ c / np.linalg.norm(a) / np.linalg.norm(c), abs=1e-6)


@pytest.fixture
def frame():
    """One cell: the source, four bystanders of which one was trained, and the template's own persona."""
    return pd.DataFrame(
        {
            "model": "m", "taught": "refusal", "behavior": "refusal", "source": "villain", "seed": 1, "variant": "",
            "train_id": "t", "eval_id": "e", "judge": "rules", "missing": 0, "base_missing": 0, 
            "cut_off": 0.0, "base_cut_off": 0.0,
            "unit": "rate", "leak_direction": 1, "headline": "1_centred", "design": "published", "shares_word": False,
            "persona": ["villain", "hero", "clown", "spy", "monk", "qwen_default"],
            "is_source": [True, *[False] * 5],
            "in_panel": [*[True] * 5, False],
            "trained_negative": [False, True, *[False] * 4],
            "delta": [0.9, 0.0, 0.2, 0.4, 0.1, 0.7],
            "cosine": [1.0, 0.9, 0.3, 0.5, 0.1, 0.8],
        }
    )  # fmt: skip


def test_the_headline_counts_the_panel_without_the_source(frame):
    (row,) = headline(frame).to_dict("records")
    assert row["n"] == 4
    assert row["source_delta"] == 0.9
    assert row["mean_bystander_delta"] == pytest.approx(0.175)
    assert row["rho"] == pytest.approx(-0.2)  # ranks 4 2 3 1 against 1 3 4 2
    assert row["rho_untrained"] == pytest.approx(1.0)
    assert row["trained_negatives"] == 1


def test_the_columns_scripts_rely_on_come_first(frame):
    assert list(headline(frame).columns[:10]) == [
        "model", "behavior", "source", "seed", "n",
        "source_delta", "mean_bystander_delta", "rho", "p", "leak_direction",
    ]  # fmt: skip


def test_a_missing_delta_is_an_empty_cell_in_print(frame):
    table = headline(frame.assign(delta=np.nan))
    assert as_csv(table).splitlines()[1].startswith("m,refusal,villain,1,0,,,,,1,undefined,")
    assert "| 0 |  |  |  |  | +1 | undefined |" in as_markdown(table)


def test_categories_tell_the_related_from_the_rest_and_give_no_rho_of_a_few(frame):
    kinds = frame.assign(category="original", related_to=["", "villain", "", "", "hero", ""])
    table = by_category(kinds)
    assert table[["related_to_source", "n"]].to_numpy().tolist() == [[True, 1], [False, 3]]
    assert table["mean_delta"].round(9).tolist() == [0.0, 0.233333333]
    assert table["rho"].isna().all()


def test_layers_are_compared_over_the_same_bystanders_and_the_headline_is_marked(frame):
    more = frame.assign(cosine_1_centred=frame["cosine"], cosine_0_raw=-frame["cosine"])
    table = by_layer(more).set_index("cosine")
    assert table["headline"].to_dict() == {"1_centred": True, "0_raw": False}
    assert table.loc["1_centred", "rho"] == pytest.approx(-0.2)
    assert table.loc["0_raw", "rho"] == pytest.approx(0.2)


def test_numbers_of_any_column_are_rounded_for_reading():
    table = pd.DataFrame({"steps": [132.0, float("nan")], "turns_at": [10.424015482607992, 9.0], "checkpoints": [8, 8]})
    assert as_markdown(table).splitlines()[2:] == ["| 132 | 10.42 | 8 |", "|  | 9.00 | 8 |"]
