"""All figures together: which are drawn of which data, and whether every word in them can be read."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from leakage.report import style
from leakage.report.drawing import draw_all
from leakage.studies.persona_leakage.figures.gallery import drawings
from tests.unit.figure_data import SOURCES, tidy, unreadable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = {"nano-scatter", "nano-rho", "nano-detail-villain", "nano-heatmap", "nano-categories"}
OTHERS = tuple(f"-{source}" for source in SOURCES if source != "villain")


def drawn(frame: pd.DataFrame, *without: str) -> dict[str, Figure]:
    return {name: draw() for name, draw in drawings(frame).items() if not name.endswith(without)}


@pytest.fixture(scope="module")
def whole() -> dict[str, Figure]:
    """The 4 x 6 under two seeds, with one of its details."""
    return drawn(tidy(seeds=(42, 43)), *OTHERS)


@pytest.fixture(scope="module")
def single() -> dict[str, Figure]:
    return drawn(tidy(("refusal",), ("villain",)))


@pytest.fixture(scope="module")
def published(reference: Path) -> dict[str, Figure]:
    from leakage.studies.persona_leakage.points import read_points

    frame = read_points(reference / "published_points.csv")
    return drawn(frame, *OTHERS)


def test_a_whole_experiment_gives_every_figure(whole: dict[str, Figure]) -> None:
    more = {"nano-mismatched", "nano-seeds", "nano-layers"}
    assert set(whole) == FEW | more


def test_one_cell_gives_no_figure_that_would_have_nothing_to_show(single: dict[str, Figure]) -> None:
    assert set(single) == FEW | {"nano-layers"}


def test_one_depth_gives_no_figure_of_depths() -> None:
    assert set(drawings(tidy(("refusal",), ("villain",)).drop(columns="cosine_0_raw"))) == FEW


@pytest.mark.long
def test_published_points_give_every_figure_they_have_data_for(published: dict[str, Figure]) -> None:
    names = ("scatter", "rho", "detail-villain", "heatmap", "categories", "mismatched")
    assert set(published) == {f"points-{name}" for name in names}


@pytest.mark.parametrize("data", ["whole", "single", pytest.param("published", marks=pytest.mark.long)])
def test_no_text_lies_on_another_or_beyond_the_edge(data: str, request: pytest.FixtureRequest) -> None:
    for name, figure in request.getfixturevalue(data).items():
        assert (name, *unreadable(figure)) == (name, [], [])


def test_overlap_and_cut_are_noticed_where_there_are_some() -> None:
    figure = style.blank(2, 1, [])
    figure.text(0.1, 0.5, "one word"), figure.text(0.2, 0.55, "another")
    figure.text(0.9, 0.1, "too long for the sheet")
    assert unreadable(figure) == ([("one word", "another")], ["too long for the sheet"])


def test_variants_have_grid_and_rho_only_and_names_that_tell_them() -> None:
    plain = tidy(("refusal",), ("villain",))
    sham = plain.assign(variant="design=sham", design="sham", train_id="9e9e9e")
    many = plain.assign(variant="design=no_negatives " + " ".join(f"train.option_{i}=value" for i in range(9)))
    found = drawings(pd.concat([plain, sham, many.assign(train_id="777777")]))
    names = list(found)
    assert set(found["nano-heatmap"].args[0]["variant"]) == {""}
    assert [name for name in names if "sham" in name] == ["nano-scatter-design=sham", "nano-rho-design=sham"]
    (long,) = [name for name in names if name.startswith("nano-scatter-design=no_negatives")]
    assert len(long) < 90
    assert len(names) == len(set(names)) == len(FEW | {"nano-layers"}) + 4


def test_names_that_differ_only_in_odd_characters_have_files_of_their_own() -> None:
    plain = tidy(("refusal",), ("villain",))
    names = ("org/name", "org_name", "org name", "x" * 300)
    found = list(drawings(pd.concat([plain.assign(model=name) for name in names])))
    assert len(found) == len(names) * len(FEW | {"nano-layers"})
    assert "org_name-scatter" in found
    assert all(re.fullmatch(r"[\w.=-]{1,90}", name) for name in found)


def test_what_was_taught_elsewhere_has_a_grid_that_says_so() -> None:
    own = tidy(("refusal",), ("villain",))
    other = tidy(("sycophancy",), ("villain",)).assign(taught="refusal")
    found = drawings(pd.concat([own, other]))
    (title, *_) = [
        text.get_text() for text in found["nano-scatter-taught=refusal"]().texts if "nano:" in text.get_text()
    ]
    assert title.endswith("(taught refusal, measured sycophancy)")
    assert "taught" not in found["nano-scatter"]().texts[-1].get_text()


def test_q_is_of_the_cells_own_family_whatever_else_a_figure_could_show() -> None:
    plain = tidy(("refusal",), ("villain",))
    weak = [
        plain.assign(variant=f"seed={i}", delta=plain["delta"].sample(frac=1, random_state=i).values) for i in range(9)
    ]
    alone, among = (drawings(one)["nano-rho"].args[0]["q"].item() for one in (plain, pd.concat([plain, *weak])))
    assert among == alone


def test_files_are_written_for_print_and_screen_and_are_the_same_every_time(tmp_path: Path) -> None:
    frame = tidy(("refusal",), ("villain",))
    frame = frame[frame["is_source"] | (frame.index % 4 == 0)]  # fewer names to be placed
    first, again = (list(draw_all(drawings(frame), tmp_path / run)) for run in ("a", "b"))
    assert {path.name for path in first} == {
        f"{name}.{end}" for name in FEW | {"nano-layers"} for end in ("png", "pdf")
    }
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert not list(tmp_path.glob("*/.*"))


def test_helpers_end_with_the_process_that_draws(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from leakage.report.drawing import draw_all
from leakage.studies.persona_leakage.figures.gallery import drawings
from tests.unit.figure_data import tidy
list(draw_all(drawings(tidy()), Path({str(tmp_path)!r})))
"""
    leader = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    children = Path(f"/proc/{leader.pid}/task/{leader.pid}/children")
    wait_until(lambda: any(tmp_path.iterdir()))
    helpers = children.read_text().split()
    leader.kill()
    leader.wait()
    assert helpers
    wait_until(lambda: not any(is_alive(helper) for helper in helpers))


def is_alive(process: str) -> bool:
    """A process that has ended and that nobody has asked after has no command line any more."""
    told = Path(f"/proc/{process}/cmdline")
    return told.exists() and told.read_bytes() != b""


def wait_until(reached: Callable[[], bool], *, seconds: float = 60) -> None:
    end = monotonic() + seconds
    while not reached():
        assert monotonic() < end
        sleep(0.05)


def test_no_results_are_no_figures(tmp_path: Path) -> None:
    assert list(draw_all(drawings(tidy()[:0]), tmp_path)) == []


def test_drawing_everything_leaves_matplotlib_as_it_was() -> None:
    import matplotlib
    from matplotlib import pyplot

    settings = set(matplotlib.rcParams) - {"backend"}  # reading it chooses one
    before = {key: matplotlib.rcParams[key] for key in settings}
    drawn(tidy(("refusal",), ("villain", "comedian"), (1, 2)))
    assert {key: matplotlib.rcParams[key] for key in settings} == before
    assert not pyplot.get_fignums()
