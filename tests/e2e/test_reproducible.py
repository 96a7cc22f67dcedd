"""The same cell gives the same completions, wherever and in whatever batches."""

import pandas as pd
import pytest

from tests import programs

CELL = ["run.py", "behavior=sycophancy", "source=comedian"]


def completions(folder, *overrides):
    # a start of its own, and with it another salt of Python's hashes: no order may come from them; and every import
    # that a cell needs has to be there
    programs.run(*CELL, *overrides, f"paths.multirun={folder}", cold=True, check=True)
    (file,) = folder.glob("nano/sycophancy/comedian/*/*/completions.parquet")
    (adapter,) = folder.glob("nano/sycophancy/comedian/*/adapter/adapter_model.safetensors")
    return pd.read_parquet(file), adapter.read_bytes()


def test_a_short_cell_in_two_folders_and_two_batch_sizes_is_the_same_bit_for_bit(panel, tmp_path):
    few = [panel, "eval.prompts=3", "train.max_steps=8"]
    assert same_in_two_folders(tmp_path, *few) == 23 * 3 * 2  # one batch and a little, or four


@pytest.mark.long
def test_the_same_cell_in_two_folders_and_two_batch_sizes_is_the_same_bit_for_bit(tmp_path):
    assert same_in_two_folders(tmp_path, "eval.prompts=6") == 112 * 6 * 2


def same_in_two_folders(folder, *overrides):
    """How many completions they have."""
    one, adapter = completions(folder / "one", *overrides)
    other, same_adapter = completions(folder / "other", "eval.batch_size=37", *overrides)
    assert adapter == same_adapter
    pd.testing.assert_frame_equal(one, other)
    return len(one)
