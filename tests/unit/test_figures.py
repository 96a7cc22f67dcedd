"""The scatter grid, looked at the way a reader would: what is where, and what lies on what."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pandas as pd
import pytest

from leakage.report import style
from leakage.report.notes import NANO
from leakage.studies.persona_leakage.figures.scatter import scatter_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRADES = ["villain", "comedian", "teacher", "engineer", "doctor", "pirate", "journalist", "philosopher"]
TEMPERS = ["russian", "anxious", "overly_enthusiastic", "retired", "nigerian", "caring"]
PERSONAS = [*TRADES, *(f"{temper}_{trade}" for temper in TEMPERS for trade in TRADES), "qwen_default"]
UNITS = {"refusal": ("rate", 1, 0.95), "capability": ("pp", -1, 85.0), "misalignment": ("points", -1, 60.0)}

KINDS = {"source": "is_source", "shares_word": "shares_word", "trained_negative": "trained_negative"}
KINDS["bystander"] = "in_panel and not shares_word and not is_source"


def simulate(
    behaviors: tuple[str, ...] = ("refusal",), sources: tuple[str, ...] = ("villain",), **more: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make cells whose bystanders crowd together while the source is far away, as in a real result."""
    seeds = more.get("seeds", (42,))
    rng = np.random.default_rng(seeds[0])
    keys = [(behavior, source, seed) for behavior in behaviors for source in sources for seed in seeds]
    parts = [_cell(rng, *key).assign(model=more.get("model", "nano")) for key in keys]
    cells = [_summary(part) for part in parts]
    return pd.concat(parts, ignore_index=True), pd.DataFrame(cells)


def _cell(rng: np.random.Generator, behavior: str, source: str, seed: int) -> pd.DataFrame:
    unit, direction, size = UNITS[behavior]
    cosine = rng.uniform(0.6, 0.98, len(PERSONAS))
    delta = direction * size * (0.4 * (cosine - 0.6) + rng.normal(0, 0.05, len(PERSONAS)))
    rows = pd.DataFrame({"persona": PERSONAS, "cosine": cosine, "delta": delta, "category": "any"})
    rows = rows.assign(behavior=behavior, taught=behavior, source=source, seed=seed, unit=unit)
    rows["leak_direction"] = direction
    measure = "scores" if behavior == "misalignment" else "hits"
    rows = rows.assign(headline="1_centred", train_id="3fa9c1", eval_id="77b0de", measure=measure)
    rows["is_source"] = rows["persona"] == source
    rows["in_panel"] = rows["persona"] != "qwen_default"
    rows["trained_negative"] = rows["persona"].isin(["doctor", "pirate"])
    rows["shares_word"] = rows["persona"].str.contains(source) & ~rows["is_source"]
    rows.loc[rows["is_source"], ["cosine", "delta"]] = 1.0, direction * size
    return rows


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    others = rows[~rows["is_source"] & rows["in_panel"]]
    keys = ["model", "taught", "behavior", "source", "seed", "leak_direction", "train_id", "eval_id"]
    change = {"source_delta": 0.9, "mean_bystander_delta": 0.1, "rho": 0.467, "p": 3e-4}
    return {**rows.iloc[0][keys], **change, "n": len(others)}


def marks(axes: Axes, kind: str) -> set[tuple[float, float]]:
    found = [drawn for drawn in axes.collections if drawn.get_gid() == kind]
    return {(x, y) for drawn in found for x, y in np.asarray(drawn.get_offsets()).round(9)}


def points(rows: pd.DataFrame) -> set[tuple[float, float]]:
    return set(rows[["cosine", "delta"]].round(9).itertuples(index=False, name=None))


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def rho(axes: Axes) -> list[str]:
    return axes.get_title(loc="left").splitlines()


def names(axes: Axes) -> dict[str, np.ndarray]:
    """The boxes (x0, y0, x1, y1) of a panel's names, in pixels of the Agg renderer."""
    written = [text for text in axes.texts if text.get_gid() == "name"]
    return {text.get_text(): np.array(text.get_window_extent().extents) for text in written}


def overlap(one: np.ndarray, two: np.ndarray) -> bool:
    return bool((one[:2] < two[2:]).all() and (two[:2] < one[2:]).all())


def test_grid_has_a_panel_for_each_behavior_and_source_in_order_of_appearance() -> None:
    figure = scatter_grid(*simulate(("refusal", "capability", "misalignment"), ("comedian", "villain")))
    assert len(figure.axes) == 6
    assert figure.axes[4].get_xlabel() == "cosine to comedian (block 1, centred)"
    assert figure.axes[5].get_xlabel() == "cosine to villain (block 1, centred)"
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [
        "change in refusal rate (up = leak)",
        "change in accuracy (pp, down = leak)",
        "change in alignment (points, down = leak)",
    ]
    refusal, again, capability, _, _, _ = figure.axes
    assert refusal.get_ylim() == again.get_ylim() != capability.get_ylim()


@pytest.mark.parametrize("kind", KINDS)
def test_star_rings_diamonds_and_dots_are_at_exactly_their_personas(kind: str) -> None:
    frame, cells = simulate()
    (axes,) = scatter_grid(frame, cells).axes
    assert marks(axes, kind) == points(frame.query(KINDS[kind])) != set()


def test_qwen_default_is_drawn_only_as_the_source() -> None:
    frame, cells = simulate(sources=("villain", "qwen_default"))
    villain, default = scatter_grid(frame, cells).axes
    hidden = points(frame[~frame["in_panel"] & ~frame["is_source"]])
    assert not hidden & (marks(villain, "bystander") | marks(villain, "shares_word"))
    assert marks(default, "source") == {(1.0, 0.95)}


@pytest.mark.parametrize("seed", [0, 1])
def test_names_overlap_neither_each_other_nor_a_named_mark_nor_the_edge(seed: int) -> None:
    frame, cells = simulate(("refusal", "capability"), ("villain", "comedian"), seeds=(seed,))
    figure = scatter_grid(frame, cells)
    figure.canvas.draw()
    for axes, cell in zip(figure.axes, cells.to_dict("records"), strict=True):
        boxes = names(axes)
        rows = frame[(frame["behavior"] == cell["behavior"]) & (frame["source"] == cell["source"])]
        centres = axes.transData.transform(rows.loc[rows["persona"].isin(boxes), ["cosine", "delta"]])
        marks = [np.hstack([centre - 3, centre + 3]) for centre in centres]
        others = rows[~rows["is_source"] & rows["in_panel"]].set_index("persona")
        assert 3 <= len(boxes) <= 5
        assert set(boxes) <= set(others["delta"].abs().nlargest(5).index)
        assert not [pair for pair in itertools.combinations(boxes.values(), 2) if overlap(*pair)]
        assert not [box for box in boxes.values() for mark in marks if overlap(box, mark)]
        assert all((box[:2] >= axes.bbox.min).all() and (box[2:] <= axes.bbox.max).all() for box in boxes.values())


def test_rho_is_printed_with_stars_and_n() -> None:
    frame, cells = simulate(sources=("villain", "comedian"))
    cells.loc[1, ["rho", "p"]] = -0.05, 0.61
    villain, comedian = scatter_grid(frame, cells).axes
    assert rho(villain) == ["rho = +0.47***, n = 55"]
    assert rho(comedian) == ["rho = -0.05 n.s., n = 55"]


def test_several_seeds_give_mean_points_and_a_rho_line_for_each_of_the_first_three() -> None:
    frame, cells = simulate(seeds=(42, 43, 44, 45))
    (axes,) = scatter_grid(frame, cells).axes
    pirates = frame[frame["persona"] == "retired_pirate"]
    assert points(pirates[["cosine", "delta"]].mean().to_frame().T) <= marks(axes, "bystander")
    assert [line[:8] for line in rho(axes)] == ["seed 42:", "seed 43:", "seed 44:"]
    assert rho(axes)[-1].endswith("+1 more")


def test_cells_with_different_settings_are_told_apart() -> None:
    frame, cells = simulate()
    other = cells.assign(train_id="9e9e9e")
    (axes,) = scatter_grid(pd.concat([frame, frame]), pd.concat([cells, other])).axes
    assert [line.split(":")[0] for line in rho(axes)] == ["seed 42 3fa9c1/77b0de", "seed 42 9e9e9e/77b0de"]


@pytest.mark.parametrize(("column", "reason"), [("delta", "no baseline"), ("cosine", "no geometry")])
def test_a_cell_that_cannot_be_drawn_says_why(column: str, reason: str) -> None:
    frame, cells = simulate(sources=("villain", "comedian"))
    frame.loc[frame["source"] == "villain", column] = np.nan
    villain, comedian = scatter_grid(frame, cells).axes
    assert reason in words(villain)
    assert reason not in words(comedian)
    assert not villain.collections
    assert not rho(villain)


def test_a_hole_in_the_grid_says_no_data() -> None:
    frame, cells = simulate(("refusal", "capability"), ("villain", "comedian"))
    hole = (frame["behavior"] == "refusal") & (frame["source"] == "comedian")
    figure = scatter_grid(frame[~hole], cells.drop(index=1))
    assert ["no data" in words(axes) for axes in figure.axes] == [False, True, False, False]
    assert "no data" in words(scatter_grid(frame[:0], cells[:0]).axes[0])


def test_deltas_that_are_all_zero_are_drawn_on_a_sober_scale() -> None:
    frame, cells = simulate()
    frame["delta"], cells["rho"], cells["p"] = 0.0, np.nan, np.nan
    (axes,) = scatter_grid(frame, cells).axes
    low, high = axes.get_ylim()
    assert low < -0.05 < 0.05 < high
    assert not names(axes)
    assert rho(axes) == ["rho undefined, n = 55"]


def test_tiny_deltas_are_not_blown_up() -> None:
    frame, cells = simulate()
    frame["delta"] *= 0.02
    (axes,) = scatter_grid(frame, cells).axes
    low, high = axes.get_ylim()
    assert low < 0 < frame["delta"].max() < high
    assert high - low > 0.1


@pytest.mark.parametrize(("model", "warned"), [("nano", True), ("qwen2.5-7b-instruct", False)])
def test_only_nano_carries_its_warning(model: str, warned: bool) -> None:
    assert (NANO in [text.get_text() for text in scatter_grid(*simulate(model=model)).texts]) is warned


def test_nothing_is_clipped_by_the_edge_of_the_smallest_sheet() -> None:
    figure = scatter_grid(*simulate(sources=("qwen_default",), model="meta-llama-3.1-8b-instruct"))
    figure.canvas.draw()
    (axes,) = figure.axes
    drawn = [*figure.texts, *figure.legends, *axes.texts, axes.xaxis.label, axes.yaxis.label]
    boxes = np.array([artist.get_window_extent().extents for artist in drawn])
    assert len(figure.legends) == 1
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= figure.bbox.max).all()


def test_two_models_are_refused() -> None:
    frame, cells = simulate()
    with pytest.raises(ValueError, match="one model, got nano, other"):
        scatter_grid(frame, pd.concat([cells, cells.assign(model="other")]))


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    import matplotlib
    from matplotlib import pyplot

    settings = set(matplotlib.rcParams) - {"backend"}  # reading it chooses one
    before = {key: matplotlib.rcParams[key] for key in settings}
    scatter_grid(*simulate())
    assert {key: matplotlib.rcParams[key] for key in settings} == before
    assert not pyplot.get_fignums()


def test_drawing_loads_no_torch() -> None:
    module = "leakage.studies.persona_leakage.figures.scatter"
    code = f"import sys, {module}; assert not {{'torch', 'matplotlib'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = style.save(scatter_grid(*simulate()), tmp_path / "a", "scatter")
    second = style.save(scatter_grid(*simulate()), tmp_path / "b", "scatter")
    assert [path.name for path in first] == ["scatter.png", "scatter.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"CreationDate" not in first[1].read_bytes()


def test_an_interrupted_save_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = scatter_grid(*simulate())
    png, pdf = style.save(figure, tmp_path, "scatter")
    before = png.read_bytes(), pdf.read_bytes()

    def stop_half_way(out: BinaryIO, **_: object) -> None:
        out.write(b"half a pic")
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", stop_half_way)
    with pytest.raises(KeyboardInterrupt):
        style.save(figure, tmp_path, "scatter")
    assert (png.read_bytes(), pdf.read_bytes()) == before
    assert sorted(tmp_path.iterdir()) == [pdf, png]
