"""A record is held to what it was made from: made again with other bytes, that makes it stale."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from leakage.jobs.step import Step, fill
from leakage.store.find import find
from leakage.store.manifest import Input, InputEntry
from leakage.store.record import Record, Status
from leakage.store.status import status, trouble

INPUT = "adapter/weights.bin"


def make_input(folder, text="weights"):
    with Record(folder).writing("adapter", "1", identity={}) as draft:
        (draft.path("adapter")).mkdir(exist_ok=True)
        (folder / INPUT).write_text(text)
        draft.path("log.txt").write_text("x")
    return Record(folder).digest_of(INPUT)


def make_of(folder, *inputs):
    with Record(folder).writing("completions", "2", identity={}, inputs=inputs and list(inputs)) as draft:
        draft.path("completions.txt").write_text("y")
    return Record(folder)


def as_before(record, **facts):
    """A manifest as it was before it named its inputs."""
    file = record.folder / "manifest.json"
    content = json.loads(file.read_text())
    del content["inputs"]
    content["facts"] |= facts
    file.write_text(json.dumps(content))


@pytest.fixture(params=["new", "old"])
def made(request, tmp_path):
    """Input and the record made from it: as manifests are now, and as they were, with one digest and no names."""
    source = tmp_path / "seed42-1"
    digest = make_input(source)
    record = make_of(source / "refusal-2", InputEntry(folder="..", file=INPUT, sha256=digest))
    if request.param == "old":
        as_before(record, made_from=digest)
    assert record.status() is Status.DONE
    return source, record


def test_an_input_that_was_made_again_with_other_bytes_makes_a_record_stale(made):
    source, record = made
    make_input(source, "others")
    assert record.status() is Status.STALE
    assert "is another now" in record.staleness()
    assert record.trouble(Status.STALE) == record.staleness()
    assert record.damage() is None
    (above, stale) = find(source.parent)
    assert (above.status, above.reason) == (Status.DONE, None)
    assert (stale.status, stale.reason) == (Status.STALE, record.staleness())
    make_input(source)
    assert record.status() is Status.DONE  # of these very bytes it was made


def test_an_input_that_was_made_again_with_equal_bytes_changes_nothing(made):
    source, record = made
    shutil.rmtree(source / "adapter")
    (source / "manifest.json").unlink()
    make_input(source)
    assert record.status() is Status.DONE


@pytest.mark.parametrize("gone", ["manifest.json", "all"])
def test_an_input_that_is_gone_changes_nothing(made, gone):
    """Adapters may be removed to save space; what was measured of them is as good as before."""
    source, record = made
    for path in list(source.iterdir()):
        if path.name == gone or (gone == "all" and path != record.folder):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert record.status() is Status.DONE
    assert record.staleness() is None


def test_what_is_damaged_and_stale_is_damaged(made):
    source, record = made
    make_input(source, "others")
    (record.folder / "completions.txt").write_text("torn")
    assert record.status() is Status.DAMAGED
    assert record.trouble(Status.DAMAGED) == "completions.txt has changed since it was written"


def test_a_record_of_nothing_is_never_stale(tmp_path):
    make_input(tmp_path / "seed42-1")
    records = [make_of(tmp_path / "seed42-1" / name) for name in ("new-2", "old-2", "older-2")]
    as_before(records[1], made_from=None)  # a baseline's completions
    as_before(records[2])
    make_input(tmp_path / "seed42-1", "others")
    assert [one.status() for one in records] == [Status.DONE] * 3


def test_any_of_several_inputs_that_is_another_makes_a_record_stale(tmp_path):
    digests = [make_input(tmp_path / name) for name in ("one", "two")]
    entries = [InputEntry(folder=f"../../{name}", file=INPUT, sha256=digest)
               for name, digest in zip(("one", "two"), digests, strict=True)]  # fmt: skip
    record = make_of(tmp_path / "three" / "four", *entries)
    assert record.status() is Status.DONE
    make_input(tmp_path / "two", "others")
    assert record.staleness() == f"{INPUT} in ../../two, of which it was made, is another now"
    make_input(tmp_path / "two")
    make_input(tmp_path / "one", "others")
    assert record.status() is Status.STALE


def step_of(folder, text, *inputs, facts=None, asked=None):
    """A step that writes a text, and notes what it was asked with."""

    def make(draft):
        if asked is not None:
            asked.append(draft.input_digest)
        draft.path("a.txt").write_text(text)
        draft.facts |= facts or {}

    return Step("answers", Path(folder), {"text": text}, make, tuple(Input(Path(one), "a.txt") for one in inputs))


def test_a_step_notes_its_inputs_and_is_made_again_when_they_are_others(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    asked = []
    first, second = step_of("nano/answers-1", "a"), step_of("nano/villain/seed42-1", "b", "nano/answers-1", asked=asked)
    for step in (first, second, second):
        fill(tmp_path, step, label="mine")
    record, above = (Record(tmp_path / step.folder) for step in (second, first))
    digest = above.digest_of("a.txt")
    assert record.manifest.inputs == [InputEntry(folder="../../answers-1", file="a.txt", sha256=digest)]
    assert above.manifest.inputs == []
    assert asked == [digest]  # made once
    assert status(tmp_path, second) is Status.DONE
    above.set_aside()
    fill(tmp_path, step_of("nano/answers-1", "another"), label="mine")
    assert status(tmp_path, second) is Status.STALE
    why = "a.txt in ../../answers-1, of which it was made, is another now"
    assert trouble(tmp_path, second) == why
    fill(tmp_path, second, label="mine")
    aside = tmp_path / second.folder / "replaced-1"
    assert (aside / "a.txt").read_text() == "b"
    assert f"mine: answers is stale: {why}; kept in {aside} and made again" in caplog.text
    assert asked == [digest, Record(tmp_path / first.folder).digest_of("a.txt")]
    assert status(tmp_path, second) is Status.DONE
    assert trouble(tmp_path, second) == ""


def test_results_that_were_moved_are_held_to_the_inputs_that_moved_with_them(tmp_path):
    first, second = step_of("nano/answers-1", "a"), step_of("nano/villain/seed42-1", "b", "nano/answers-1")
    for step in (first, second):
        fill(tmp_path / "here", step, label="mine")
    (tmp_path / "here").rename(tmp_path / "there")
    Record(tmp_path / "there" / first.folder).set_aside()
    fill(tmp_path / "there", step_of("nano/answers-1", "another"), label="mine")
    assert status(tmp_path / "there", second) is Status.STALE
