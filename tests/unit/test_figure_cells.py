"""Detail, intervals, seeds and layers: what is drawn is what the tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from leakage.studies.persona_leakage.analysis.outliers import outliers
from leakage.studies.persona_leakage.analysis.seeds import by_seed, seed_pairs
from leakage.studies.persona_leakage.analysis.tables import by_layer, headline
from leakage.studies.persona_leakage.figures.detail import source_detail
from leakage.studies.persona_leakage.figures.intervals import rho_intervals
from leakage.studies.persona_leakage.figures.layers import rho_by_layer
from leakage.studies.persona_leakage.figures.seeds import seed_agreement
from tests.unit.figure_data import collection, tidy, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEHAVIORS, PAIR = ("capability", "refusal"), ("villain", "comedian")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return tidy(BEHAVIORS, PAIR, (42, 43))


@pytest.fixture(scope="module")
def cells(frame: pd.DataFrame) -> pd.DataFrame:
    return headline(frame)


def offsets(axes: Axes, name: str) -> np.ndarray:
    return np.asarray(collection(axes, name).get_offsets(), float)


def heading(axes: Axes) -> list[str]:
    return axes.get_title(loc="left").splitlines()


# --- detail


def detail(frame: pd.DataFrame) -> Figure:
    return source_detail(frame, headline(frame), outliers(frame))


def test_detail_gives_each_behavior_its_rho_its_interval_and_n() -> None:
    frame = tidy(BEHAVIORS, ("villain",))
    for axes, cell in zip(detail(frame).axes, headline(frame).to_dict("records"), strict=True):
        (line,) = heading(axes)
        assert line.startswith(f"rho = {cell['rho']:+.2f}")
        assert f"(95 % {cell['rho_low']:+.2f} to {cell['rho_high']:+.2f}), n = 110" in line


def test_detail_names_outliers_first_and_then_the_largest_changes() -> None:
    frame = tidy(("refusal",), ("villain",)).copy()
    # far off its line, though small: only an outlier can be named for that
    frame.loc[frame["persona"] == "monk", ["cosine", "delta"]] = 0.9, 0.0
    far = outliers(frame)["persona"]
    (axes,) = detail(frame).axes
    largest = frame[~frame["is_source"] & frame["in_panel"]].set_index("persona")["delta"].nlargest(16).index
    assert "monk" in set(far[:8])
    assert "monk" in set(words(axes, "name"))
    assert set(words(axes, "name")) <= {*far, *largest}
    assert len(set(words(axes, "name")) & set(largest)) >= 8


def test_the_guide_goes_through_medians_of_equal_groups_of_bystanders() -> None:
    frame = tidy(("refusal",), ("villain",))
    (axes,) = detail(frame).axes
    (guide,) = [line for line in axes.lines if line.get_gid() == "guide"]
    others = frame[~frame["is_source"] & frame["in_panel"]].sort_values("cosine")
    assert len(guide.get_xdata()) == 6
    assert guide.get_xdata()[0] == pytest.approx(others["cosine"][:19].median())
    assert guide.get_ydata()[-1] == pytest.approx(others["delta"][-18:].median())


def test_a_behavior_without_baseline_says_so_among_others_that_have_one() -> None:
    frame = tidy(BEHAVIORS, ("villain",)).copy()
    frame.loc[frame["behavior"] == "refusal", "delta"] = np.nan
    capability, refusal = detail(frame).axes
    assert words(refusal, "reason") == ["no baseline"]
    assert not words(capability, "reason")
    assert not refusal.collections


# --- rho with its interval


def test_every_rho_is_drawn_at_its_value_with_its_interval(cells: pd.DataFrame) -> None:
    (axes,) = rho_intervals(cells).axes
    drawn = {x for kind in cells["finding"].unique() for x in offsets(axes, kind)[:, 0].round(9)}
    assert drawn == set(cells["rho"].round(9))
    bars = {
        tuple(path.vertices[:, 0].round(9)) for one in axes.collections for path in one.get_paths() if len(path) == 2
    }
    assert bars == set(zip(cells["rho_low"].round(9), cells["rho_high"].round(9), strict=True))
    assert set(offsets(axes, "partial")[:, 0].round(9)) == set(cells["partial_rho"].round(9))


def test_the_shaded_half_is_the_side_of_leakage(cells: pd.DataFrame) -> None:
    (axes,) = rho_intervals(cells).axes
    assert words(axes, "leak") == ["← leak", "leak →"]
    shaded = [one.get_paths()[0].get_extents() for one in axes.collections if one.get_gid() is None][:2]
    assert [(box.x0, box.x1) for box in shaded] == [(-1, 0), (0, 1)]


def test_findings_differ_in_shape_and_not_in_colour_alone(cells: pd.DataFrame) -> None:
    kinds = ["leaks", "not specific", "against", "no gradient"]
    (axes,) = rho_intervals(cells[:4].assign(finding=kinds)).axes
    shapes = [collection(axes, kind).get_paths()[0].vertices.round(6).tobytes() for kind in kinds]
    assert len(set(shapes)) == 4


def test_a_seed_is_named_only_where_it_tells_two_cells_apart(cells: pd.DataFrame) -> None:
    (both,) = rho_intervals(cells).axes
    (one,) = rho_intervals(cells[cells["seed"] == 42]).axes
    assert [label.get_text() for label in both.get_yticklabels()][:2] == ["villain, seed 42", "villain, seed 43"]
    assert [label.get_text() for label in one.get_yticklabels()] == ["villain", "comedian"] * 2


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("delta", 0.0, "one delta for all"), ("delta", np.nan, "no deltas"), ("cosine", np.nan, "no geometry")],
)
def test_an_undefined_rho_says_why(column: str, value: float, reason: str) -> None:
    frame = tidy(("refusal",), ("villain",)).assign(**{column: value})
    (axes,) = rho_intervals(headline(frame)).axes
    assert words(axes, "rho") == [f"undefined: {reason}"]


# --- seeds


def test_each_bystander_is_at_its_change_under_the_one_seed_and_the_other(frame: pd.DataFrame) -> None:
    figure = seed_agreement(seed_pairs(frame), by_seed(frame))
    villain = frame[(frame["behavior"] == "capability") & (frame["source"] == "villain") & frame["in_panel"]]
    wide = villain[~villain["is_source"]].pivot_table(index="persona", columns="seed", values="delta")
    assert set(map(tuple, offsets(figure.axes[0], "pair"))) == set(zip(wide[42], wide[43], strict=True))
    rho = by_seed(frame).query("behavior == 'capability' and source == 'villain'")["agreement"].item()
    assert heading(figure.axes[0]) == [f"rho = {rho:+.2f}"]
    assert figure.axes[-1].get_xlabel() == "the same under seed 42"
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()


def test_three_seeds_are_three_kinds_of_marks_and_four_are_one() -> None:
    frame = tidy(("refusal",), ("villain",), (1, 2, 3, 4))
    three = frame[frame["seed"] < 4]
    (some,), (many,) = (seed_agreement(seed_pairs(one), by_seed(one)).axes for one in (three, frame))
    assert [len(one.get_offsets()) for one in some.collections] == [110, 110, 110]
    assert [len(one.get_offsets()) for one in many.collections] == [660]
    assert "lowest" in heading(some)[0]
    assert some.get_xlabel() == "the same under one seed"


def test_a_cell_with_one_seed_among_others_says_so(frame: pd.DataFrame) -> None:
    fewer = frame[(frame["behavior"] != "refusal") | (frame["source"] != "villain") | (frame["seed"] == 42)]
    figure = seed_agreement(seed_pairs(fewer), by_seed(fewer))
    assert [words(axes, "reason") for axes in figure.axes] == [[], [], ["one seed only"], []]


# --- layers


def test_lines_run_through_the_mean_rho_of_every_depth(frame: pd.DataFrame, cells: pd.DataFrame) -> None:
    table = by_layer(frame)
    figure = rho_by_layer(table, cells)
    for axes, behavior in zip(figure.axes, BEHAVIORS, strict=True):
        means = table[table["behavior"] == behavior].groupby("cosine")["rho"].mean()
        for kind, depth, name in (("raw", 0, "0_raw"), ("centred", 1, "1_centred")):
            (line,) = [one for one in axes.lines if one.get_gid() == kind]
            assert line.get_xydata() == pytest.approx(np.array([(depth, means[name])]))
    assert [words(axes, "leak") for axes in figure.axes] == [["leak"], ["leak"]]
    assert [axes.texts[0].get_position()[1] < 0 for axes in figure.axes] == [True, False]


def test_the_headline_definition_is_ringed_and_the_figure_calls_itself_exploratory(
    frame: pd.DataFrame, cells: pd.DataFrame
) -> None:
    figure = rho_by_layer(by_layer(frame), cells)
    rings = [one for axes in figure.axes for one in axes.collections if one.get_gid() == "headline"]
    places = [tuple(place) for ring in rings for place in ring.get_offsets()]
    assert [depth for depth, _ in places] == [1, 1]
    assert any("exploratory" in text.get_text() for text in figure.texts)
