"""Damaged files: the stage they belong to is made again, that stage only, and the damaged file is kept aside."""

import json
import shutil

import pytest

from tests.cells import SHORT
from tests.survival.helpers import attempt, kill_once, tables, tables_of


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
def test_a_damaged_stage_is_made_again_and_no_other(short, panel, tmp_path, damage):
    multirun = tmp_path / "multirun"
    shutil.copytree(short, multirun)
    where, name, spoil = DAMAGES[damage]
    (folder,) = (multirun / "nano" / "refusal").glob(where)
    spoil(folder / name)
    before = {path: path.read_text() for path in multirun.rglob("manifest.json")}
    assert attempt(multirun, *SHORT, panel)[0] == 0
    after = {path: path.read_text() for path in multirun.rglob("manifest.json") if "replaced-" not in str(path)}
    assert [path.parent.resolve() for path in after if after[path] != before.get(path)] == [folder.resolve()]
    assert (folder / "replaced-1").is_dir()
    if name != "adapter/adapter_model.safetensors":
        assert (folder / "replaced-1" / name).exists()
    assert tables(multirun) == tables(short)


def test_a_half_written_checkpoint_and_a_torn_part_are_kept_aside(short, panel, tmp_path):
    cell = [*SHORT, panel, "eval.batch_size=1"]  # many parts, and the same results
    for name in ("checkpoint-*/optimizer.pt", "parts-*/[0-9]*.parquet"):

        def written(name=name):
            return [file for file in tmp_path.rglob(name) if "replaced-" not in str(file)]

        kill_once(written, tmp_path, *cell)
        for file in written():
            truncate(file)
    assert attempt(tmp_path, *cell)[0] == 0
    assert tables(tmp_path) == tables_of(short, "villain")
