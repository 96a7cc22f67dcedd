"""Which folders hold records, whatever users call theirs, and where what was replaced is kept."""

import pytest

from leakage.jobs.signals import Stopped
from leakage.store.aside import next_aside
from leakage.store.find import find
from leakage.store.record import Record, Status
from leakage.training.checkpoints import Checkpoints

ALIKE = (
    "adapter_swap-1a2b3c4d", "adapter-1a2b3c4d", "adapters", "checkpoints-1a2b3c4d", "checkpoints_kept-1a2b3c4d",
    "parts-1a2b3c4d", "damaged-12345678", "damaged-1a2b3c4d", "damaged_x-1a2b3c4d", "replaced-12345678",
    "replaced_twice-1a2b3c4d",
)  # fmt: skip


def written(folder, text="x"):
    with Record(folder).writing("adapter", "1", identity={}) as draft:
        draft.path("a.txt").write_text(text)
    return Record(folder)


@pytest.mark.parametrize("name", ALIKE)
def test_a_scenario_or_a_behavior_called_nearly_like_an_inner_folder_is_found(tmp_path, name):
    """A scenario's transcripts and a behavior's completions lie in the folder of the adapter that was asked."""
    adapter = written(tmp_path / "nano" / "faking" / "planted" / "seed42-00000000")
    answers = written(adapter.folder / name)
    scores = written(answers.folder / "rules-1a2b3c4d")
    written(tmp_path / name / "refusal")
    assert [(one.folder, one.status) for one in find(tmp_path)] == [
        (folder, Status.DONE)
        for folder in sorted([adapter.folder, answers.folder, scores.folder, tmp_path / name / "refusal"])
    ]
    adapter.set_aside()
    assert answers.status() is Status.DONE  # where it was


@pytest.mark.parametrize("name", ["adapter", "checkpoints", "replaced-1", "damaged-1", "damaged-12", ".hidden"])
def test_what_is_inside_a_record_is_no_other(tmp_path, name):
    adapter = written(tmp_path / "seed42-00000000")
    written(adapter.folder / name / "checkpoint-4")
    written(adapter.folder / name)
    assert [one.folder for one in find(tmp_path)] == [adapter.folder]


def test_what_was_set_aside_is_found_nowhere(tmp_path):
    for text in "ab":
        written(tmp_path / "r", text).set_aside()
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["replaced-1", "replaced-2"]
    assert find(tmp_path) == []
    assert Record(tmp_path / "r").status() is Status.MISSING


def test_the_number_is_one_more_than_the_highest_there(tmp_path):
    for text in "abc":
        written(tmp_path, text).set_aside()
    (tmp_path / "replaced-1" / "a.txt").unlink()
    (tmp_path / "replaced-1" / "manifest.json").unlink()
    (tmp_path / "replaced-1").rmdir()
    assert written(tmp_path, "d").set_aside() == tmp_path / "replaced-4"
    texts = {path.parent.name: path.read_text() for path in tmp_path.glob("*/a.txt")}
    assert texts == {"replaced-2": "b", "replaced-3": "c", "replaced-4": "d"}


def test_what_older_versions_set_aside_counts_and_what_is_only_called_alike_does_not(tmp_path):
    for name in ("damaged-7", "replaced-2", "damaged-12345678", "replaced_x-9", "replaced-"):
        (tmp_path / name).mkdir()
    assert next_aside(tmp_path) == tmp_path / "replaced-8"


def test_checkpoints_are_set_aside_beside_one_another_gaps_or_not(tmp_path):
    checkpoints = Checkpoints(tmp_path, {"train_id": "one"}, every_s=1)
    for text in "abc":
        written(tmp_path / "checkpoint-4", text)  # of nothing that this training knows
        assert checkpoints.newest() is None
        if text == "b":
            (tmp_path / "replaced-1-checkpoint-4").rename(tmp_path.parent / f"{tmp_path.name}-away")
    texts = {path.parent.name: path.read_text() for path in tmp_path.glob("*/a.txt")}
    assert texts == {"replaced-2-checkpoint-4": "b", "replaced-3-checkpoint-4": "c"}


def test_checkpoints_of_a_start_that_was_stopped_are_no_records(tmp_path):
    """Nothing failed and nobody holds the folder: only the seconds that were noted tell whose checkpoints these are."""
    folder = tmp_path / "nano" / "refusal" / "villain" / "seed42-1"

    def make(draft):
        draft.path("examples.jsonl").write_text("{}")
        written(folder / "checkpoints" / "checkpoint-4")
        raise Stopped(0)

    with pytest.raises(Stopped):
        Record(folder).fill("adapter", "1", make, identity={}, label="mine", wanted=lambda: True)
    assert [(one.folder, one.status) for one in find(tmp_path)] == [(folder, Status.PARTIAL)]
