"""Damaged files: the stage they belong to is made again, that stage only, and the damaged file is kept aside."""

import json
import shutil

import pytest

from tests.survival.helpers import few_personas, tables

CELL = ["train.max_steps=6", "train.checkpoint_s=0", "eval.prompts=2", "eval.samples=1"]


@pytest.fixture(scope="module")
def finished(harness, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    cell = [*CELL, few_personas(folder)]
    assert harness.start(*cell, f"paths.multirun={folder / 'multirun'}")[0] == 0
    return cell, folder / "multirun"


def truncate(file):
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)


def forge(file):
    """A manifest with a wrong digest of each of its files."""
    manifest = json.loads(file.read_text())
    for entry in manifest["files"].values():
        entry["sha256"] = "0" * 64
    file.write_text(json.dumps(manifest))


DAMAGES = {
    "truncated completions": ("villain/*/refusal-*", "completions.parquet", truncate),
    "truncated scores": ("villain/*/refusal-*/rules-*", "scores.parquet", truncate),
    "truncated scores of the baseline": ("none/*/refusal-*/rules-*", "scores.parquet", truncate),
    "manifest with a wrong digest": ("villain/seed42-*", "manifest.json", forge),
    "adapter without weights": ("villain/seed42-*", "adapter/adapter_model.safetensors", lambda file: file.unlink()),
    "manifest that is no JSON": ("villain/*/refusal-*", "manifest.json", truncate),
    "truncated cosines": ("../geometry-*", "cosines.parquet", truncate),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_stage_is_made_again_and_no_other(harness, finished, tmp_path, damage):
    cell, whole = finished
    multirun = tmp_path / "multirun"
    shutil.copytree(whole, multirun)
    where, name, spoil = DAMAGES[damage]
    (folder,) = (multirun / "nano" / "refusal").glob(where)
    spoil(folder / name)
    before = {path: path.read_text() for path in multirun.rglob("manifest.json")}
    assert harness.start(*cell, f"paths.multirun={multirun}")[0] == 0
    after = {path: path.read_text() for path in multirun.rglob("manifest.json") if "replaced-" not in str(path)}
    assert [path.parent.resolve() for path in after if after[path] != before.get(path)] == [folder.resolve()]
    assert (folder / "replaced-1").is_dir()
    if name != "adapter/adapter_model.safetensors":
        assert (folder / "replaced-1" / name).exists()
    assert tables(multirun) == tables(whole)


def test_a_half_written_checkpoint_and_a_torn_part_are_kept_aside(harness, finished, tmp_path):
    cell, whole = finished
    _, seconds = harness.start(*cell, f"paths.multirun={tmp_path / 'timed'}")
    multirun = tmp_path / "multirun"
    spoiled = set()
    for share in range(20, 100, 4):
        harness.start(*cell, f"paths.multirun={multirun}", kill_after=seconds * share / 100)
        for file in (*multirun.rglob("checkpoint-*/optimizer.pt"), *multirun.rglob("parts-*/[0-9]*.parquet")):
            if "replaced-" not in str(file):
                truncate(file)
                spoiled.add(file.name)
        if len(spoiled) > 1:
            break
    assert harness.start(*cell, f"paths.multirun={multirun}")[0] == 0
    assert "optimizer.pt" in spoiled
    assert tables(multirun) == tables(whole)
