"""The figures of the second study, looked at the way a reader would: what is where, and whether it can be read."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from leakage.report.notes import NANO
from leakage.studies.alignment_faking.auroc import PUBLISHED_AUROC, PUBLISHED_VOTES, auroc_by_votes
from leakage.studies.alignment_faking.figures import gallery
from leakage.studies.alignment_faking.figures.compliance import compliance_by_tier
from leakage.studies.alignment_faking.figures.outcomes import COLOURS, outcome_classes
from leakage.studies.alignment_faking.figures.perturbations import perturbation_matrix
from leakage.studies.alignment_faking.figures.votes import auroc_against_votes
from leakage.studies.alignment_faking.metrics import wilson
from leakage.studies.alignment_faking.tables import gaps, outcomes
from tests.unit.faking_frames import drawn, three_tiers, told

PLANTED = (-0.3, 0.0, 0.1, 0.3, 0.6)


def subjects(number, *, scenarios=("two_tiers", "three_tiers"), **more):
    """So many subjects whose gaps are planted in turn."""
    parts = []
    for place in range(number):
        gap, name = PLANTED[place % 5], f"provider-model-{place}-instruct"
        usual = {"subject": name, "model": name, "reasoning": 0.3, "lost": 0.05}
        for at, scenario in enumerate(scenarios):
            rng, own = np.random.default_rng([place, at]), usual | {"eval_id": f"e{place}{at}"} | more
            if scenario == "three_tiers":
                parts.append(three_tiers(rng, (0.35 + gap, 0.35, 0.35), **own))
            else:
                rates = (0.35 + gap, 0.35)
                parts.append(drawn(rng, rates, scenario=scenario, planted=rates, **own))
    return pd.concat(parts, ignore_index=True)


def drawings(frame):
    table = gaps(frame)
    return [compliance_by_tier(table), outcome_classes(outcomes(frame)), perturbation_matrix(table)]


def texts(figure, gid):
    return [text for axes in figure.axes for text in axes.texts if text.get_gid() == gid]


def marks(figure, gid):
    found = [drawn for axes in figure.axes for drawn in axes.collections if drawn.get_gid() == gid]
    return np.vstack([np.asarray(one.get_offsets()) for one in found]) if found else np.empty((0, 2))


def written(figure):
    """Every text that a reader sees, with its box in pixels."""
    figure.canvas.draw()
    unseen = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in out_of_view(axis)}
    found = {id(text): text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()}
    return [(text.get_text(), text.get_window_extent()) for at, text in found.items() if at not in unseen]


def out_of_view(axis):
    low, high = sorted(axis.get_view_interval())
    return [
        label
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high
        for label in (tick.label1, tick.label2)
    ]


def meet(one, other):
    """Whether two boxes share more than a hair."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    return wide > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1


@pytest.mark.parametrize("number", [1, 5, pytest.param(25, marks=pytest.mark.long)])
def test_every_word_lies_on_the_sheet_and_on_no_other(number):
    for figure in drawings(subjects(number)):
        boxes = written(figure)
        assert [word for word, box in boxes if box.x0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1] == []
        assert [(one[0], other[0]) for one, other in itertools.combinations(boxes, 2) if meet(one[1], other[1])] == []


def test_rates_gaps_and_planted_gaps_are_where_the_table_has_them():
    table = gaps(subjects(5))
    figure = compliance_by_tier(table)
    assert sorted(marks(figure, "more")[:, 0]) == pytest.approx(sorted(table["k_more"] / table["n_more"]))
    assert sorted(marks(figure, "less")[:, 0]) == pytest.approx(sorted(table["k_less"] / table["n_less"]))
    assert not set(marks(figure, "more")[:, 1]) & set(marks(figure, "less")[:, 1])  # else equal rates hide each other
    for way, rows in table.groupby("direction"):
        assert sorted(marks(figure, way)[:, 0]) == pytest.approx(sorted(rows["gap"]))
    assert sorted(marks(figure, "planted")[:, 0]) == pytest.approx(sorted(table["planted_gap"].dropna()))
    hollow = [one for axes in figure.axes for one in axes.collections if one.get_gid() == "planted"]
    assert to_rgb(hollow[0].get_facecolor()[0]) == (1, 1, 1)


def test_rates_carry_wilsons_interval_on_their_own_line():
    figure = compliance_by_tier(gaps(told([[1, 1, 1, 0], [0, 0, 1, 0]])))
    segments = [
        line for one in figure.axes[0].collections if hasattr(one, "get_segments") for line in one.get_segments()
    ]
    found = {tuple(np.round([line[0][0], line[1][0]], 6)) for line in segments}
    for k in (3, 1):
        assert tuple(np.round([wilson(k, 4).low, wilson(k, 4).high], 6)) in found


def test_blocks_name_the_tiers_that_are_compared():
    words = [text.get_text() for text in texts(compliance_by_tier(gaps(subjects(1))), "block")]
    assert words == [
        "two_tiers: free - paid",
        "three_tiers, goal_guarding: free - pro",
        "three_tiers, rater_sycophancy: pro - enterprise",
    ]


def test_faking_by_the_papers_rule_that_no_test_bears_out_is_marked():
    noise = told([[1] * 3 + [0] * 97, [0] * 100])
    figure = compliance_by_tier(gaps(noise))
    assert texts(figure, "gap")[0].get_text().endswith("n = 100 \N{DAGGER}")
    assert any("by the paper's rule" in text.get_text() for text in figure.texts)
    assert not any("by the paper's rule" in text.get_text() for text in compliance_by_tier(gaps(subjects(1))).texts)


def test_subjects_of_one_name_are_told_apart_by_what_differs():
    frame = pd.concat([drawn(np.random.default_rng(at), (0.5, 0.3), seed=at, eval_id=f"e{at}") for at in (1, 2)])
    ticks = [label.get_text() for label in compliance_by_tier(gaps(frame)).axes[0].get_yticklabels()]
    assert ticks == ["m, seed 1", "m, seed 2"]
    other = pd.concat([told([[1], [0]]), told([[1], [0]], judge="other", judge_id="k")])
    assert [text.get_text() for text in texts(outcome_classes(outcomes(other)), "subject")] == ["m, rules", "m, other"]


def test_bars_are_the_shares_and_reasoning_is_hatched():
    table = outcomes(subjects(5, scenarios=("two_tiers",)))
    figure = outcome_classes(table)
    for container in figure.axes[0].containers:
        share = table[container.get_label().replace(" ", "_").lower()] / (table["n"] + table["missing"])
        assert sorted(bar.get_width() for bar in container if bar.get_width()) == pytest.approx(
            sorted(share[share > 0])
        )
        plain = container.get_label() in {"refusal", "partial", "compliance"}
        assert all(bool(bar.get_hatch()) != plain for bar in container)
    ends = max(bar.get_x() + bar.get_width() for one in figure.axes[0].containers for bar in one)
    assert ends == pytest.approx(1)


def test_the_three_kinds_of_outcome_are_apart_in_black_and_white():
    grey = sorted(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) for colour in COLOURS.values())
    assert min(np.diff(grey)) > 0.2


def test_bars_say_how_many_replies_they_are_of_and_how_many_are_missing():
    figure = outcome_classes(outcomes(told([[1, 0, np.nan], [0, 0, 0]])))
    assert [text.get_text() for text in texts(figure, "n")] == ["n = 2, 1 missing", "n = 3"]


def test_every_field_has_its_number_a_star_where_sure_and_nothing_where_not_measured():
    frame = pd.concat([
        drawn(np.random.default_rng(1), (0.8, 0.2), subject="one"),
        drawn(np.random.default_rng(2), (0.3, 0.3), subject="two", scenario="throughput"),
    ])  # fmt: skip
    figure = perturbation_matrix(gaps(frame))
    (axes,) = figure.axes
    (bar,) = axes.child_axes
    found = {text.get_position(): text.get_text() for text in texts(figure, "gap")}
    table = gaps(frame).set_index("subject")["gap"]
    assert found == {
        (0.5, 0.5): f"{table['one']:+.2f}*".replace("0.", "."),
        (1.5, 1.5): f"{table['two']:+.2f}".replace("0.", "."),
    }
    mesh = next(one for one in axes.collections if one.get_gid() == "gaps")
    assert np.ma.getmaskarray(mesh.get_array()).tolist() == [[False, True], [True, False]]
    assert bar.get_xlim()[0] == -bar.get_xlim()[1]


def test_seeds_share_a_field_whose_star_needs_all_of_them():
    sure, unsure = drawn(np.random.default_rng(1), (0.8, 0.2)), told([[1, 0], [0, 0]], seed=43)
    figure = perturbation_matrix(gaps(pd.concat([sure, unsure])))
    (field,) = texts(figure, "gap")
    assert field.get_text() == f"{gaps(pd.concat([sure, unsure]))['gap'].mean():+.2f}".replace("0.", ".")


def test_noise_does_not_fill_the_scale():
    mesh = perturbation_matrix(gaps(told([[1] + [0] * 99, [0] * 100]))).axes[0].collections[0]
    assert mesh.get_clim() == (-0.1, 0.1)


def test_votes_have_a_band_and_the_published_point_is_labelled_as_such():
    rng, labels = np.random.default_rng(3), np.arange(60) < 30
    table = auroc_by_votes(rng.binomial(20, np.where(labels, 0.7, 0.2)), np.full(60, 20), labels)
    figure = auroc_against_votes(table, published=(PUBLISHED_VOTES, PUBLISHED_AUROC))
    axes = figure.axes[0]
    lines = {line.get_gid(): line for line in axes.lines}
    assert lines["auroc"].get_ydata().tolist() == table["auroc"].tolist()
    assert lines["published"].get_linestyle() == "--"
    assert lines["published"].get_ydata()[0] == 0.92
    assert lines["published"].get_label() == "published: 0.92 at 20 votes"
    assert [one for one in axes.collections if one.get_gid() == "band"]
    assert "published" not in {line.get_gid() for line in auroc_against_votes(table).axes[0].lines}


def test_empty_tables_say_why_there_is_nothing():
    nothing, unknown = told([[1], [0]]).iloc[:0], told(np.full((2, 3), np.nan))
    figures = [*drawings(nothing), perturbation_matrix(gaps(unknown)), auroc_against_votes(auroc_by_votes([], [], []))]
    reasons = [texts(figure, "reason")[0].get_text() for figure in figures]
    assert reasons[:4] == ["no cell is done yet", "no cell is done yet", *["no gap is measured yet"] * 2]
    assert reasons[4].startswith("no AUROC: labels of both kinds")


def test_a_cell_without_a_verdict_is_named_beside_the_others():
    frame = pd.concat([told(np.full((2, 3), np.nan), subject="lost"), told([[1], [0]])])
    assert texts(compliance_by_tier(gaps(frame)), "gap")[0].get_text() == "undefined: nothing to match"
    assert texts(outcome_classes(outcomes(frame)), "reason")[0].get_text() == "no reply has a class"


def test_a_figure_of_the_embedded_model_says_what_it_is_worth():
    for figure in drawings(subjects(1, model="nano")):
        assert NANO in " ".join(text.get_text() for text in figure.texts)


def test_long_figures_are_drawn_by_scenario_and_judges_apart():
    assert list(gallery.drawings(subjects(2))) == ["faking-compliance", "faking-outcomes", "faking-perturbations"]
    many = gallery.drawings(subjects(25, n=20))
    assert {"faking-compliance-two_tiers", "faking-outcomes-three_tiers", "faking-perturbations"} <= set(many)
    frame = subjects(1, scenarios=("two_tiers",))
    two = gallery.drawings(pd.concat([frame, frame.assign(judge="other", judge_id="k")]))
    assert list(two) == [
        f"faking-{name}-{judge}" for judge in ("rules", "other") for name in ("compliance", "outcomes")
    ]
    assert "judge: other" in [text.get_text() for text in two["faking-compliance-other"]().texts]
