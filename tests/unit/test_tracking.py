"""train.report_to: events that TensorBoard reads, the same adapter, and a sentence where a package is missing."""

from importlib.util import find_spec

import pytest

from leakage.errors import ConfigError
from leakage.training.tracking import TRACKING, refuse_missing
from tests.cells import TINY


def test_a_package_that_is_missing_is_told_before_training(monkeypatch):
    monkeypatch.setattr("leakage.training.tracking.find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"train.report_to=\[wandb\]: the package wandb is not installed; pip install"
    ):
        refuse_missing(["wandb"])


def test_an_unknown_tracker_is_an_error_of_the_settings(program, panel):
    done = program("run.py", *TINY, panel, "train.report_to=[paper]")
    assert done.returncode == 1
    assert "train.report_to" in done.stderr
    assert "tensorboard" in done.stderr


def test_tensorboard_reads_every_step_and_the_adapter_is_the_same(program, panel, tiny, tmp_path):
    if find_spec("tensorboard") is None:
        pytest.skip("tensorboard is not installed; pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    program("run.py", *TINY, panel, "source=villain", "train.report_to=[tensorboard]", check=True)
    (record,) = (tmp_path / "multirun").glob("nano/refusal/villain/seed*")
    events = EventAccumulator(str(record / TRACKING))
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == list(range(1, len((record / "train_log.jsonl").read_text().splitlines()) + 1))
    weights = "adapter/adapter_model.safetensors"
    (plain,) = tiny.glob("nano/refusal/villain/seed*")
    assert (record / weights).read_bytes() == (plain / weights).read_bytes()
