"""The race against worlds in which the cause is planted: it names that one, and nothing where there is none."""

import io

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls
from scipy.stats import rankdata, spearmanr

from leakage.__main__ import main
from leakage.errors import ConfigError, DataError
from leakage.studies.persona_leakage.analysis.combination import (
    EQUAL,
    expected,
    explored_columns,
    fixed_columns,
    held_out,
    learn,
    ranked_cells,
)
from leakage.studies.persona_leakage.analysis.race import LEVEL, by_forecast, by_predictor, cause, p_of_best
from leakage.studies.persona_leakage.figures.gallery import drawings
from leakage.studies.persona_leakage.points import read_points
from tests.unit.frames import grid

SOURCES = ("villain", "comedian", "assistant", "software_engineer")
BEHAVIORS = ("refusal", "sycophancy")
N = 60


def world(seed, kind, *, layers=0, strength=0.5):
    """Cells in which changes follow geometry, margin, the source alone or nothing. Predictors resemble each other, and
    those of geometry tell sources apart, as leakier adapters that sit closer to everyone do."""
    rng = np.random.default_rng([seed, sum(map(ord, kind))])
    leaky = rng.normal(size=len(SOURCES))  # how much a source leaks to everyone
    frames = []
    for behavior in BEHAVIORS:
        margin = rng.normal(size=N)  # of a persona, whatever the source
        cells = [_cell(rng, kind, margin, leaky[place], layers, strength) for place in range(len(SOURCES))]
        frame = grid(SOURCES, lambda place, _, cells=cells: (cells[place]["cosine"], cells[place]["delta"]), n=N)
        more = {name: np.concatenate([[np.nan, *cell[name]] for cell in cells]) for name in cells[0]}
        del more["cosine"], more["delta"]
        frames.append(frame.assign(**more, taught=behavior, behavior=behavior))
    return pd.concat(frames, ignore_index=True)


def _cell(rng, kind, margin, leaky, layers, strength):
    cosine = 0.5 * margin + rng.normal(size=N)
    causes = {"geometry": cosine, "margin": margin, "source": 0 * margin, "nothing": 0 * margin}
    delta = strength * causes[kind] + rng.normal(size=N) + (2 * leaky if kind == "source" else 0)
    explored = {f"explored_kl_{layer}": rng.normal(size=N) for layer in range(layers)}
    return {
        "cosine": np.tanh(cosine + leaky), "delta": np.tanh(delta / 4), "predictor_margin": margin,
        "predictor_overlap": rng.normal(size=N), "predictor_length": rng.normal(size=N), **explored,
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "named"), [("geometry", "cosine"), ("margin", "margin"), ("source", "source alone")])
def test_the_planted_cause_is_named(kind, named):
    causes = [cause(by_predictor(world(seed, kind))) for seed in range(4)]
    assert causes == [named] * 4


def test_leaky_sources_are_no_evidence_for_a_predictor_that_tells_them_apart():
    """Over all pairs the cosine follows the changes, for the sources' sake alone."""
    frame = world(0, "source")
    race = by_predictor(frame).set_index("predictor")
    others = frame[~frame["is_source"]]
    assert abs(spearmanr(others["cosine"], others["delta"]).statistic) > 0.3
    assert race.loc["cosine", "p_best"] > 0.05
    assert abs(race.loc["cosine", "pair_rho"]) < 0.15
    assert race.loc["source alone", "weight"] > 0.3


@pytest.mark.parametrize("layers", [0, 12])
def test_where_nothing_is_planted_a_predictor_wins_in_one_draw_of_twenty(layers):
    wins, frame = 0, world(0, "nothing", layers=layers)
    columns = fixed_columns(frame) | explored_columns(frame)
    rng = np.random.default_rng(1000 + layers)
    for _ in range(200):
        frame = frame.assign(delta=np.tanh(rng.normal(size=len(frame))))
        wins += min(p_of_best(ranked_cells(frame, columns), list(columns)).values()) < LEVEL
    assert 0.03 <= wins / 200 <= 0.07


def test_nothing_is_named_where_nothing_is_planted():
    causes = [cause(by_predictor(world(seed, "nothing", layers=3))) for seed in range(10)]
    assert causes.count("nothing") >= 8  # each of the two tests errs once in twenty


def test_the_partial_leaves_what_the_cause_does_not_explain():
    race = by_predictor(world(3, "margin")).set_index("predictor")
    assert race.loc["cosine", "mean_rho"] > 0.1
    assert abs(race.loc["cosine", "partial_rho"]) < 0.1
    assert race.loc["margin", "partial_rho"] > 0.3


def test_rho_partial_and_held_out_are_scipys():
    frame = world(5, "margin")
    race = by_predictor(frame).set_index("predictor")
    cells = [rows for _, rows in frame[~frame["is_source"]].groupby(["behavior", "source"], sort=False)]
    names = ["predictor_margin", "cosine", "predictor_overlap", "predictor_length"]
    rhos, partials = [], []
    for rows in cells:
        rhos.append(spearmanr(rows["predictor_margin"], rows["delta"]).statistic)
        inverse = np.linalg.inv(np.corrcoef([rankdata(rows[name]) for name in ("delta", *names)]))
        partials.append(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))
    assert race.loc["margin", "mean_rho"] == pytest.approx(np.mean(rhos), abs=1e-9)
    assert race.loc["margin", "partial_rho"] == pytest.approx(np.mean(partials), abs=1e-9)
    assert race.loc["margin", "rho_sources"] == pytest.approx(np.mean(rhos), abs=1e-9)
    assert race.loc["margin", "positive"] == sum(rho > 0 for rho in rhos)


def test_held_out_weights_never_saw_what_they_are_scored_on():
    """A predictor that is the answer in one behavior and nothing in the other earns nothing where it is the answer."""
    frame = world(7, "nothing")
    noise = np.random.default_rng(0).normal(size=len(frame))
    frame["predictor_oracle"] = np.where(frame["behavior"] == "refusal", frame["delta"], noise)
    columns = fixed_columns(frame)
    scored = ranked_cells(frame, columns)
    rhos = held_out(scored, "behavior", lambda some: learn(some, list(columns)))
    refusal = [cell.key["behavior"] == "refusal" for cell in scored]
    weights = learn([cell for cell in scored if cell.key["behavior"] != "refusal"], list(columns))
    by_hand = np.array([cell.rho(weights) for cell in scored])
    assert rhos[refusal] == pytest.approx(by_hand[refusal])
    assert learn(scored, list(columns))["oracle"] > 0.5


def test_a_single_behavior_is_held_out_over_sources_and_models():
    one = world(1, "margin")
    one = one[one["behavior"] == "refusal"]
    race = by_predictor(pd.concat([one, one.assign(model="another")])).set_index(["model", "predictor"])
    row = race.loc[("m", "forecast")]
    assert np.isnan(row["rho_behaviors"])
    assert row["rho_models"] > 0.3
    assert row["mean_rho"] == row["rho_sources"]


def test_fewer_cells_than_weights_are_learnt_from_give_equal_parts():
    frame = world(2, "margin")
    scored = ranked_cells(frame, fixed_columns(frame))
    assert learn(scored[:1], ["cosine", "margin"]) == EQUAL
    assert learn(scored, ["cosine", "margin"])["margin"] > 0.8


def test_what_to_expect_of_one_more_cell():
    rho, reach = expected(np.array([0.5, 0.6, 0.4, np.nan, 0.5]))
    assert rho == pytest.approx(0.503, abs=0.002)
    assert reach.low == pytest.approx(0.161, abs=0.002)
    assert np.isnan(expected(np.array([0.5]))[0])


def test_a_constant_predictor_says_nothing_and_wins_nothing():
    frame = world(4, "geometry").assign(predictor_base_rate=0.0)
    row = by_predictor(frame).set_index("predictor").loc["base_rate"]
    assert row["cells"] == 0
    assert np.isnan(row["mean_rho"])
    assert np.isnan(row["p_best"])
    assert np.isnan(row["positive"])


def test_a_sealed_forecast_is_scored_cell_by_cell():
    frame = world(6, "margin")
    frame = frame.assign(forecast=frame["predictor_margin"], before_training=True, expected_rho=0.4, expected_low=0.1,
                         expected_high=0.6)  # fmt: skip
    table = by_forecast(frame)
    assert len(table) == 8
    first = frame[(frame["source"] == "villain") & (frame["behavior"] == "refusal") & ~frame["is_source"]]
    row = table[(table["source"] == "villain") & (table["behavior"] == "refusal")].iloc[0]
    assert row["forecast_rho"] == pytest.approx(spearmanr(first["forecast"], first["delta"]).statistic)
    assert by_predictor(frame).set_index("predictor").loc["sealed forecast", "mean_rho"] == pytest.approx(
        table["forecast_rho"].mean()
    )
    assert table["top_ten"].between(0, 10).all()
    assert by_forecast(frame.assign(delta=0.0))["top_ten"].isna().all()  # all changed alike
    few = frame[frame["is_source"] | frame["persona"].isin(frame["persona"].unique()[:15])]
    assert by_forecast(few)["top_ten"].isna().all()  # ten are most of them
    assert by_forecast(world(6, "margin")).empty


@pytest.fixture
def outside(tmp_path):
    """A file of three sources with predictors of the names somebody else gave them, one of which means less."""
    rng = np.random.default_rng(3)
    frames = []
    for source in SOURCES[:3]:
        kl, margin = rng.exponential(size=40), rng.normal(size=40)
        delta = np.tanh(margin - kl + rng.normal(size=40)) * 0.9
        cosine = np.tanh(rng.normal(size=40) - kl / 2)
        own = {"behavior": "refusal", "source": source, "persona": [f"p{i}" for i in range(40)], "cosine": cosine}
        frames.append(pd.DataFrame(own | {"KL at 7": kl, "Margin": margin, "delta": delta}))
    file = tmp_path / "points.csv"
    pd.concat(frames).to_csv(file, index=False)
    return file


def test_the_race_of_an_outside_result_is_scipys(outside):
    race = by_predictor(read_points(outside, predictors={"kl at 7": -1, "margin": 1})).set_index("predictor")
    assert list(race.index[:3]) == ["cosine", "kl at 7", "margin"]
    cells = [rows for _, rows in pd.read_csv(outside).groupby("source", sort=False)]
    ranked = [_ranked(rows["delta"], rows["cosine"], -rows["KL at 7"], rows["Margin"]) for rows in cells]
    rhos = np.mean([[spearmanr(one[0], column).statistic for column in one[1:]] for one in ranked], axis=0)
    assert race["mean_rho"].iloc[:3].tolist() == pytest.approx(rhos.tolist(), abs=1e-9)
    partials = [-inverse[0, 1:] / np.sqrt(inverse[0, 0] * np.diag(inverse)[1:])
                for inverse in (np.linalg.inv(np.corrcoef(one)) for one in ranked)]  # fmt: skip
    assert race["partial_rho"].iloc[:3].tolist() == pytest.approx(np.mean(partials, axis=0).tolist(), abs=1e-9)
    held = []
    for place, one in enumerate(ranked):
        others = np.hstack([other for at, other in enumerate(ranked) if at != place])
        weights, _ = nnls(others[1:].T, others[0])
        held.append(spearmanr(weights @ one[1:], one[0]).statistic)
    assert race.loc["forecast", "rho_sources"] == pytest.approx(np.mean(held), abs=0.003)


def _ranked(*columns):
    ranks = rankdata(columns, axis=1)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def test_an_outside_result_with_predictors_needs_no_cosine(outside):
    frame = pd.read_csv(outside).drop(columns="cosine")
    frame.to_csv(outside, index=False)
    told = read_points(outside, predictors={"margin": 1})
    race = by_predictor(told).set_index("predictor")
    assert race.loc["margin", "cells"] == 3
    assert race["better"].isna().all()
    with pytest.raises(DataError, match="lacks the column cosine"):
        read_points(outside)


def test_a_frame_with_predictors_is_itself_again_from_a_file(outside):
    first = read_points(outside, predictors={"kl at 7": -1})
    first = first.assign(forecast=first["predictor_kl at 7"], before_training=False)
    first.to_csv(outside, index=False)
    again = read_points(outside)
    assert not again["before_training"].any()
    pd.testing.assert_frame_equal(by_predictor(again), by_predictor(first))


def test_a_predictor_that_no_column_is_called_names_the_nearest(outside):
    with pytest.raises(DataError, match="has no column margins to predict with; nearest: margin"):
        read_points(outside, predictors={"margins": 1})


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["leakage", "table", *arguments])
    main()


def test_the_command_line_takes_predictors_with_their_signs(outside, capsys, monkeypatch):
    named = ["--predictor", "kl at 7:-", "--predictor", "Margin"]
    run(monkeypatch, "--by", "predictor", "--points", str(outside), *named, "--format", "csv")
    table = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("predictor")
    assert table.loc["kl at 7", "mean_rho"] > 0
    assert table.loc["margin", "mean_rho"] > 0


def test_a_predictor_without_points_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"--predictor kl names a column of an outside file; add --points FILE"):
        run(monkeypatch, "--predictor", "kl")


def test_a_figure_for_each_seed_names_every_predictor():
    frame = world(1, "margin", layers=12)
    both = pd.concat([frame, frame.assign(seed=43)], ignore_index=True)
    names = [name for name in drawings(both) if "predictors" in name]
    assert names == ["m-predictors-seed42", "m-predictors-seed43"]
    figure = drawings(both)[names[0]]()
    (axes,) = figure.axes
    named = [label.get_text() for label in axes.get_yticklabels()]
    assert {"cosine", "margin", "overlap", "length", "forecast"} <= set(named)
    assert sum(name.startswith("kl") for name in named) == 8  # the best of twelve blocks
    assert len(axes.texts) == len(named)
    without = frame.drop(columns=[name for name in frame if name.startswith("predictor_")])
    assert not [name for name in drawings(without) if "predictors" in name]
