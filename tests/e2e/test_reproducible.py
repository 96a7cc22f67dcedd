"""The same cell gives the same completions, wherever and in whatever batches."""

import subprocess
import sys

import pandas as pd

from tests.conftest import ROOT

CELL = ["run.py", "behavior=sycophancy", "source=comedian", "eval.prompts=6"]


def completions(folder, *overrides):
    command = [sys.executable, *CELL, *overrides, f"paths.multirun={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    (file,) = folder.glob("nano/sycophancy/comedian/*/*/completions.parquet")
    (adapter,) = folder.glob("nano/sycophancy/comedian/*/adapter/adapter_model.safetensors")
    return pd.read_parquet(file), adapter.read_bytes()


def test_the_same_cell_in_two_folders_and_two_batch_sizes_is_the_same_bit_for_bit(tmp_path):
    one, adapter = completions(tmp_path / "one")
    other, same_adapter = completions(tmp_path / "other", "eval.batch_size=37")
    assert adapter == same_adapter
    pd.testing.assert_frame_equal(one, other)
    assert len(one) == 112 * 6 * 2
