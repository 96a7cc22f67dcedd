"""Heatmap, mismatched sources and categories: what is drawn is what the tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from leakage.data.personas import read_personas
from leakage.studies.persona_leakage.analysis.controls import mismatched
from leakage.studies.persona_leakage.analysis.tables import headline
from leakage.studies.persona_leakage.figures.categories import category_strips
from leakage.studies.persona_leakage.figures.heatmap import delta_heatmap
from leakage.studies.persona_leakage.figures.mismatched import mismatched_matrices
from tests.unit.figure_data import collection, tidy, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEHAVIORS, THREE = ("capability", "refusal"), ("villain", "comedian", "qwen_default")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return tidy(BEHAVIORS, THREE)


@pytest.fixture(scope="module")
def heat(frame: pd.DataFrame) -> Figure:
    return delta_heatmap(frame)


@pytest.fixture(scope="module")
def crossed(frame: pd.DataFrame) -> Figure:
    return mismatched_matrices(mismatched(frame), headline(frame))


def people(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


# --- heatmap


def test_rows_are_personas_by_category_in_the_order_of_the_panel(heat: Figure, frame: pd.DataFrame) -> None:
    members = read_personas().members
    assert people(heat.axes[0]) == [one.name for one in members]
    assert words(heat.axes[-1], "category")[:2] == ["original", "professional peer"]
    shuffled = delta_heatmap(frame.sample(frac=1, random_state=1))
    assert words(shuffled.axes[-1], "category") == words(heat.axes[-1], "category")


def test_each_field_is_the_delta_turned_so_that_leakage_is_positive(heat: Figure, frame: pd.DataFrame) -> None:
    names = people(heat.axes[0])
    for axes, behavior in zip(heat.axes, BEHAVIORS, strict=True):
        rows = frame[frame["behavior"] == behavior]
        deltas = rows.pivot_table(index="persona", columns="source", values="delta").loc[names, list(THREE)]
        drawn = collection(axes, behavior)
        assert np.asarray(drawn.get_array()) == pytest.approx(deltas.to_numpy() * rows["leak_direction"].iloc[0])
        end = rows.query("not is_source")["delta"].abs().max()
        assert drawn.get_clim() == (-end, end)


def test_the_leak_side_is_red_and_at_the_right_in_the_units_of_each_behavior(heat: Figure) -> None:
    bars = [axes.child_axes[0] for axes in heat.axes]
    assert [words(bar, "side") for bar in bars] == [["opposite", "leak"]] * 2
    ends = [[label.get_text() for label in bar.get_xticklabels()] for bar in bars]
    assert ends[0][2].startswith("-")
    assert ends[1][2].startswith("+")
    assert [bar.get_xlabel() for bar in bars] == ["P(right answer) (pp)", "refusal rate"]
    red, _, blue, _ = collection(heat.axes[0], "capability").get_cmap()(1.0)
    assert red > 2 * blue


def test_the_source_itself_is_starred_and_what_is_missing_is_left_to_the_hatching(frame: pd.DataFrame) -> None:
    hole = (frame["persona"] == "monk") & (frame["source"] == "villain")
    (first, _) = delta_heatmap(frame[~hole]).axes
    names = people(first)
    stars = {(column - 0.5, row - 0.5) for column, row in collection(first, "source").get_offsets()}
    assert stars == {(place, names.index(source)) for place, source in enumerate(THREE)}
    missing = np.argwhere(np.ma.getmaskarray(collection(first, "capability").get_array()))
    assert missing.tolist() == [[names.index("monk"), 0]]
    assert first.patch.get_hatch()


# --- mismatched sources


def test_every_field_says_its_rho_and_matched_fields_are_framed(crossed: Figure, frame: pd.DataFrame) -> None:
    table = mismatched(frame)
    for axes, behavior in zip(crossed.axes, BEHAVIORS, strict=True):
        rhos = table[table["behavior"] == behavior].set_index(["cosine_to", "delta_of"])["rho"]
        told = [text.splitlines()[0] for text in words(axes, "field")]
        assert told == [f"{rhos[to, of]:+.2f}" for to in THREE for of in THREE]
        framed = [patch.get_xy() for patch in axes.patches if patch.get_gid() == "matched"]
        assert framed == [(place + 0.05, place + 0.05) for place in range(3)]


def test_a_matched_rho_in_the_leak_direction_is_red_whatever_its_sign(crossed: Figure) -> None:
    shades = [np.asarray(collection(axes, "rho").get_array()) for axes in crossed.axes]
    assert all((np.diag(shade) > 0).all() for shade in shades)
    assert [axes.get_title(loc="left") for axes in crossed.axes] == ["leak = negative rho", "leak = positive rho"]
    assert [(axes.get_ylabel(), axes.get_xlabel()) for axes in crossed.axes] == [("cosine to", "deltas under")] * 2


def test_a_rho_without_meaning_says_so_and_has_no_colour(frame: pd.DataFrame) -> None:
    flat = frame.copy()
    flat.loc[(flat["source"] == "villain") & (flat["behavior"] == "refusal"), "delta"] = 0.1
    _, refusal = mismatched_matrices(mismatched(flat), headline(flat)).axes
    assert words(refusal, "field")[::3] == ["undefined"] * 3
    assert np.ma.getmaskarray(collection(refusal, "rho").get_array())[:, 0].all()


def test_several_seeds_give_mean_rhos_without_stars() -> None:
    frame = tidy(("refusal",), THREE, (42, 43))
    table = mismatched(frame)
    (axes,) = mismatched_matrices(table, headline(frame)).axes
    mean = table.query("cosine_to == 'villain' and delta_of == 'villain'")["rho"].mean()
    assert words(axes, "field")[0].strip() == f"{mean:+.2f}"


# --- categories


def test_strips_hold_every_bystander_once_in_its_category(frame: pd.DataFrame) -> None:
    figure = category_strips(frame)
    others = frame[~frame["is_source"] & frame["in_panel"]]
    ticks = [label.get_text().replace(" ", "_") for label in figure.axes[-1].get_xticklabels()]
    for axes, behavior in zip(figure.axes, BEHAVIORS, strict=True):
        rows = others[others["behavior"] == behavior]
        places = np.vstack([one.get_offsets() for one in axes.collections])
        drawn = sorted((ticks[round(x)], round(y, 9)) for x, y in places)
        assert drawn == sorted(zip(rows["category"], rows["delta"].round(9), strict=True))


def test_relatives_of_the_source_stand_apart_and_each_group_shows_its_mean(frame: pd.DataFrame) -> None:
    axes = category_strips(frame).axes[1]
    rows = frame[(frame["behavior"] == "refusal") & (frame["category"] == "modified_source")]
    related = pd.Series([s in r.split() for s, r in zip(rows["source"], rows["related_to"], strict=True)], rows.index)
    drawn = collection(axes, "modified_source:True")
    assert sorted(drawn.get_offsets()[:, 1]) == pytest.approx(sorted(rows[related]["delta"]))
    means = {round(line.get_ydata()[0], 9) for line in axes.lines if line.get_gid() == "mean"}
    assert {round(rows[related]["delta"].mean(), 9), round(rows[~related]["delta"].mean(), 9)} <= means
    alone = collection(axes, "modified_source:False")
    assert drawn.get_offsets()[:, 0].min() > alone.get_offsets()[:, 0].max()
    assert axes.get_ylabel() == "change in refusal rate\n(up = leak)"


def test_a_behavior_without_baseline_says_so(frame: pd.DataFrame) -> None:
    capability, refusal = category_strips(frame.assign(delta=frame["delta"].where(frame["behavior"] == "refusal"))).axes
    assert words(capability, "reason") == ["no baseline"]
    assert not words(refusal, "reason")
