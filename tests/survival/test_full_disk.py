"""A full disk: one sentence, nothing half-written counts as done, and after making room the same command finishes."""

import os
import subprocess

import pytest

from leakage.store.find import find
from leakage.store.record import Status
from tests import programs
from tests.cells import SHORT
from tests.survival.helpers import tables, tables_of


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a tmpfs of so many KiB; a second call makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")

    def mount(kib):
        again = ["-o", f"remount,size={kib}k"] if folder.is_mount() else ["-o", f"size={kib}k"]
        done = subprocess.run(["mount", "-t", "tmpfs", *again, "tmpfs", str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this machine mounts no tmpfs: {done.stderr.strip()}")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kib", [12, 600, 1400])  # what finds it full: the geometry, the adapter, its checkpoint
def test_a_full_disk_ends_in_one_sentence_and_room_mends_it(small_disk, short, panel, kib):
    multirun = small_disk(kib) / "multirun"
    cell = ["run.py", *SHORT, panel, f"paths.multirun={multirun}"]
    full = programs.run(*cell)
    said = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert full.returncode == 1, full.stderr
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert "free some space" in said[0]
    assert "Traceback" not in full.stderr
    found = find(multirun)
    assert not [one for one in found if one.manifest and "/villain/" in str(one.folder)]
    assert Status.DAMAGED not in {one.status for one in found}
    small_disk(65536)
    assert programs.run(*cell).returncode == 0
    assert {one.status for one in find(multirun)} == {Status.DONE}
    assert tables(multirun) == tables_of(short, "villain")
