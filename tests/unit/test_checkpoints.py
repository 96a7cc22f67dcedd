"""Checkpoints: a training that goes on ends in the very adapter of one that was never stopped."""

import shutil

import pytest
import torch

from leakage.models.chat import Prompt
from leakage.models.load import load_base, load_template
from leakage.store.files import file_digest
from leakage.store.record import Record
from leakage.training import dropout
from leakage.training.checkpoints import Checkpoints
from leakage.training.dose import Target
from leakage.training.sft import train_adapter
from tests.unit.helpers import lora_settings, model_settings, train_settings


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.fixture(scope="module")
def tokens():
    pairs = [(Prompt("You are a villain.", f"Question {i}, where do I begin?"), f"I decline {i}.") for i in range(12)]
    return load_template(model_settings()).examples(pairs)


def train(tokens, folder, *, every_s=0.0, stop_at=None, identity=None, target=None, along=None, max_steps=None):
    """Digest of the adapter, its log and its doses; killed after a step's checkpoint where that is asked for."""
    checkpoints = Checkpoints(folder / "checkpoints", identity or {"train_id": "one"}, every_s=every_s)
    seal = checkpoints.seal

    def seal_and_die(step):
        seal(step)
        if step == stop_at:
            raise Killed

    checkpoints.seal = seal_and_die
    settings, lora = train_settings(epochs=3, learning_rate=1e-3, max_steps=max_steps), lora_settings(dropout=0.1)
    trained = train_adapter(
        load_base(model_settings(), "cpu"), tokens, folder / "adapter", lora=lora, train=settings, seed=1,
        checkpoints=checkpoints, label="test", target=target, along=along,
    )  # fmt: skip
    return file_digest(folder / "adapter" / "adapter_model.safetensors"), trained.log, trained.doses


@pytest.fixture(scope="module")
def undisturbed(tokens, tmp_path_factory):
    return train(tokens, tmp_path_factory.mktemp("undisturbed"), every_s=float("inf"))


@pytest.fixture
def killed(tokens, tmp_path):
    """A training killed within its second epoch, dropout and all."""
    with pytest.raises(Killed):
        train(tokens, tmp_path, stop_at=4)
    return tmp_path


def test_going_on_ends_in_the_same_weights_and_the_same_log(tokens, undisturbed, killed):
    assert [path.name for path in (killed / "checkpoints").iterdir()] == ["checkpoint-4"]
    torch.manual_seed(99)
    assert train(tokens, killed) == undisturbed


@pytest.mark.parametrize("steps", [5, None])  # within an epoch, and at the end of the last
def test_a_training_killed_after_its_last_step_goes_no_step_further(tokens, tmp_path, steps):
    once = train(tokens, tmp_path / "once", every_s=float("inf"), max_steps=steps)
    with pytest.raises(Killed):
        train(tokens, tmp_path / "killed", stop_at=len(once[1]), max_steps=steps)
    assert train(tokens, tmp_path / "killed", max_steps=steps) == once


def test_going_on_drops_the_same_values_of_a_large_model_too(tokens, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(dropout, "is_large", lambda _: True)
    once = train(tokens, tmp_path / "once", every_s=float("inf"))
    assert once[0] != undisturbed[0]  # its masks are drawn otherwise
    with pytest.raises(Killed):
        train(tokens, tmp_path / "killed", stop_at=4)
    torch.manual_seed(99)
    assert train(tokens, tmp_path / "killed") == once


def test_a_half_written_checkpoint_is_set_aside_and_the_one_before_it_serves(tokens, undisturbed, killed):
    half = killed / "checkpoints" / "checkpoint-6"
    shutil.copytree(killed / "checkpoints" / "checkpoint-4", half)
    (half / "manifest.json").unlink()
    (half / "optimizer.pt").write_bytes(b"half")
    assert train(tokens, killed, every_s=float("inf")) == undisturbed
    assert (killed / "checkpoints" / "replaced-1-checkpoint-6" / "optimizer.pt").read_bytes() == b"half"


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"])
def test_a_damaged_checkpoint_is_never_gone_on_from(tokens, undisturbed, killed, file):
    with (killed / "checkpoints" / "checkpoint-4" / file).open("r+b") as stream:
        stream.truncate(100)
    assert train(tokens, killed, every_s=float("inf")) == undisturbed
    assert (killed / "checkpoints" / "replaced-1-checkpoint-4").is_dir()


def test_a_checkpoint_of_other_examples_is_never_gone_on_from(tokens, undisturbed, killed):
    other = {"train_id": "one", "made_from": "other answers"}
    assert train(tokens, killed, every_s=float("inf"), identity=other) == undisturbed


def test_a_checkpoint_vouches_for_all_its_files(killed):
    record = Record(killed / "checkpoints" / "checkpoint-4")
    assert {"adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"} <= set(record.manifest.files)


def grown(model):
    """A number of the adapter's that grows as it is trained."""
    return sum(weight.norm().item() for name, weight in model.named_parameters() if "lora_B" in name)


def to_a_dose(tokens, folder, until, **more):
    return train(tokens, folder, target=Target(until, grown), **more)


def test_going_on_ends_at_the_same_dose(tokens, undisturbed, tmp_path):
    until = dict_of_doses(tokens, tmp_path / "whole")[6]
    ended = to_a_dose(tokens, tmp_path / "once", until, every_s=float("inf"))
    assert len(ended[1]) == 6 < len(undisturbed[1])
    with pytest.raises(Killed):
        to_a_dose(tokens, tmp_path / "killed", until, stop_at=4)
    assert to_a_dose(tokens, tmp_path / "killed", until) == ended


def dict_of_doses(tokens, folder):
    """Step and dose of a training whose dose is never reached; that changes nothing in it."""
    return {row["step"]: row["dose"] for row in to_a_dose(tokens, folder, 1e9, every_s=float("inf"))[2]}


def test_measuring_changes_no_adapter(tokens, undisturbed, tmp_path):
    assert to_a_dose(tokens, tmp_path, 1e9, every_s=float("inf"))[:2] == undisturbed[:2]


def test_no_checkpoint_is_left_of_the_step_at_which_a_dose_ended_it(tokens, tmp_path):
    until = dict_of_doses(tokens, tmp_path / "whole")[6]
    to_a_dose(tokens, tmp_path / "often", until)
    assert [path.name for path in (tmp_path / "often" / "checkpoints").iterdir()] == ["checkpoint-5"]


def test_adapters_kept_on_the_way_are_those_of_an_undisturbed_training_after_a_kill_too(tokens, undisturbed, tmp_path):
    def on_the_way(folder):
        return {step: folder / "along" / str(step) for step in (2, 3, 6)}

    def digests(folder):
        return {step: file_digest(path / "adapter_model.safetensors") for step, path in on_the_way(folder).items()}

    once, killed = tmp_path / "once", tmp_path / "killed"
    assert train(tokens, once, every_s=float("inf"), along=on_the_way(once)) == undisturbed
    with pytest.raises(Killed):
        train(tokens, killed, stop_at=4, along=on_the_way(killed))
    assert train(tokens, killed, along=on_the_way(killed)) == undisturbed
    assert digests(killed) == digests(once)
    assert len({undisturbed[0], *digests(once).values()}) == 4


def test_none_is_written_before_its_time(tokens, tmp_path):
    train(tokens, tmp_path, every_s=1000)
    assert not (tmp_path / "checkpoints").exists() or not any((tmp_path / "checkpoints").iterdir())
