"""Trajectories: margins along a training, who turns when, and where training had best ended."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from leakage.errors import ConfigError, DataError
from leakage.handing_on.bundle import bundle
from leakage.jobs.idle import refuse_idle
from leakage.jobs.run import run
from leakage.report.drawing import draw_all
from leakage.store.artifact import Part
from leakage.store.files import file_digest
from leakage.store.record import Record, Status
from leakage.store.status import status
from leakage.studies.persona_leakage import STUDY
from leakage.studies.persona_leakage.analysis.trajectory import by_trajectory, by_turn, early_stop, passes
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.figures.gallery import drawings
from leakage.studies.persona_leakage.needs import baseline_of, geometry_of
from leakage.studies.persona_leakage.points import read_points
from leakage.studies.persona_leakage.recompute import recompute
from leakage.studies.persona_leakage.results import results
from leakage.training.train import WEIGHTS
from tests.unit.frames import cell as planted
from tests.unit.test_dose import QUICK


@pytest.fixture(scope="module")
def overrides(panel, tmp_path_factory):
    return [*QUICK, panel, f"paths.multirun={tmp_path_factory.mktemp('followed') / 'multirun'}"]


@pytest.fixture(scope="module")
def plain(compose, overrides):
    """The same cell, trained before anybody asked for its trajectory; and the digest of its adapter."""
    cell = Cell(compose(*overrides))
    run(Cell(geometry_of(cell.config)))
    run(Cell(baseline_of(cell.config)))
    run(cell)
    return file_digest(cell.multirun / cell.ids.adapter_folder / WEIGHTS)


@pytest.fixture(scope="module")
def followed(compose, overrides, plain):  # noqa: ARG001  # it is run before
    """Run once more for its trajectory."""
    cell = Cell(compose(*overrides, "eval.checkpoints=4", "eval.margin=true"))
    (adapter, *_) = cell.steps
    assert status(cell.multirun, adapter) is Status.STALE  # nothing was kept on its way
    run(Cell(baseline_of(cell.config)))
    run(cell)
    return cell


def test_a_cell_is_taught_once_more_for_its_trajectory_and_ends_in_the_same_adapter(followed, plain):
    assert file_digest(followed.multirun / followed.ids.adapter_folder / WEIGHTS) == plain
    assert followed.is_done()
    asked_again = [path for path in followed.multirun.rglob("replaced-*") if path.parent.name.startswith("refusal-")]
    assert not asked_again  # what it answered is of the same adapter


def test_a_trajectory_begins_at_the_base_and_ends_at_the_margins_of_the_adapter(followed):
    frame = pd.read_parquet(followed.multirun / followed.ids.trajectory_folder / "trajectory.parquet")
    assert list(frame["step"].unique()) == [0, 6, 12, 18, 24]
    assert (frame.loc[frame["step"] == 0, "delta"] == 0).all()
    for step, ids in ((0, Cell(baseline_of(followed.config)).ids), (24, followed.ids)):
        margins = pd.read_parquet(followed.multirun / ids.margins_folder / "margins.parquet")["margin"]
        assert np.allclose(frame.loc[frame["step"] == step, "margin"], margins, atol=1e-6)


def test_what_was_kept_on_the_way_is_vouched_for(followed):
    manifest = followed.record(followed.ids.adapter_folder).manifest
    assert manifest.facts["along"] == [6, 12, 18]
    for step in manifest.facts["along"]:
        assert f"along/{step}/adapter_model.safetensors" in manifest.files


def test_a_changed_trajectory_is_named_by_whoever_checks_it(followed, tmp_path):
    folder = tmp_path / "multirun" / followed.ids.trajectory_folder
    shutil.copytree(followed.multirun / followed.ids.trajectory_folder, folder)
    part = Part(folder, Record(folder).manifest)
    assert list(recompute(part, tmp_path / "multirun")) == []
    frame = pd.read_parquet(folder / "trajectory.parquet")
    frame.loc[len(frame) - 1, "delta"] += 0.01
    frame.to_parquet(folder / "trajectory.parquet", index=False)
    (remark,) = recompute(part, tmp_path / "multirun")
    assert "not the changes of its margins" in remark.what


def test_a_bundle_without_adapters_goes_without_those_on_the_way(followed, tmp_path):
    index = bundle(followed.multirun, [STUDY], tmp_path / "bundle.zip", adapters="digests").index
    assert not any("/along/" in name for name in index.files)
    assert sum("/along/" in name for name in index.left_out) >= 3


def test_tables_and_a_figure_follow_from_the_frame(followed, tmp_path):
    frame = results(followed.multirun)
    (row,) = by_trajectory(frame).to_dict("records")
    assert (row["checkpoints"], row["steps"]) == (4, 24)
    source = frame[frame["is_source"]].iloc[0]
    assert row["source_margin"] == pytest.approx(source["delta_margin"], abs=1e-6)
    turns = by_turn(frame)
    assert turns["turns_at"].is_monotonic_increasing
    assert turns.loc[turns["is_source"], "turns_at"].iloc[0] == pytest.approx(row["source_half"])
    plain = {name: draw for name, draw in drawings(frame.assign(variant="")).items() if "trajectory" in name}
    assert [path.suffix for path in draw_all(plain, tmp_path)] == [".png", ".pdf"]


def test_it_enters_no_id(compose):
    plain, followed = Cell(compose()), Cell(compose("eval.checkpoints=8"))
    assert [step.folder for step in followed.steps if step.kind != "trajectory"] == [one.folder for one in plain.steps]
    assert followed.ids.along == [16, 33, 50, 66, 82, 99, 116]
    assert plain.ids.along == []


@pytest.mark.parametrize("override", ["behavior=marker", "source=none"])
def test_where_nothing_is_followed_it_is_refused(compose, override):
    overrides = (override, "eval.checkpoints=8")
    with pytest.raises(ConfigError, match=r"eval.checkpoints=8 changes nothing here"):
        refuse_idle([(overrides, Cell(compose(*overrides)))])


def course(source, *others, steps=(0, 10, 20, 40)):
    """A planted cell with these changes of the margin at some steps."""
    texts = [" ".join(f"{step}:{value}" for step, value in zip(steps, row, strict=True)) for row in (source, *others)]
    return planted([0.1] * len(others), [0.0] * len(others)).assign(trajectory=texts)


def test_the_early_stop_is_the_checkpoint_with_least_leakage_that_keeps_the_source():
    frame = course([0, 5, 9.5, 10], [0, 0, 1, 8], [0, 1, 3, 8])
    (row,) = by_trajectory(frame).to_dict("records")
    assert (row["stop"], row["kept"], row["removed"], row["worth_it"]) == (20, 0.95, 0.75, True)
    assert (row["source_half"], row["bystander_half"]) == (10, pytest.approx(20 + 20 * (4 - 2) / (8 - 2)))
    late = course([0, 1, 5, 10], [0, 1, 3, 8])
    assert by_trajectory(late)["stop"].iloc[0] == 40
    assert not by_trajectory(late)["worth_it"].iloc[0]
    assert early_stop(np.array([0, 1.0]), np.array([0, -1.0])) is None


def test_a_frame_written_as_csv_has_its_trajectories_again(tmp_path):
    frame = course([0, 5, 9.5, 10], [0, 0, 1e-7, 8], [0, 1, -3, 8])
    frame.to_csv(tmp_path / "mine.csv", index=False)
    again = read_points(tmp_path / "mine.csv")
    pd.testing.assert_frame_equal(by_trajectory(again), by_trajectory(frame), check_dtype=False)
    frame.assign(trajectory="0:0 early").to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(DataError, match=r"trajectory is '0:0 early', not step:change as in 0:0 17:0.2; correct it"):
        read_points(tmp_path / "wrong.csv")


def test_a_persona_turns_where_it_passes_half_of_the_sources_change():
    turns = by_turn(course([0, 5, 9, 10], [0, 0, 4, 6], [0, 0, 1, 4.9]))
    assert list(turns["persona"]) == ["villain", "persona_000"]
    assert list(turns["turns_at"]) == [10, 30]
    assert list(turns["final_share"]) == [1, 0.6]
    assert np.isnan(passes(np.array([0.0, 1]), np.array([0.0, 1]), 2))


@pytest.mark.usefixtures("followed")
def test_a_trajectory_that_a_dose_ends_has_the_steps_until_then(compose, overrides):
    cell = Cell(compose(*overrides, "train.until=0.5", "eval.checkpoints=12"))
    run(cell)
    manifest = cell.record(cell.ids.adapter_folder).manifest
    steps = cell.record(cell.ids.trajectory_folder).manifest.facts["steps"]
    assert manifest.facts["along"] == list(range(2, 24, 2))
    assert steps == [0, *range(2, manifest.facts["steps"], 2), manifest.facts["steps"]]
    assert cell.is_done()
    assert json.loads((cell.multirun / cell.ids.trajectory_folder / "contrasts.json").read_text())
