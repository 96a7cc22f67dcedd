"""A full disk: one sentence, nothing half-written counts as done, and after making room the same command finishes."""

import os
import subprocess
import sys

import pytest

from leakage.store.find import find
from leakage.store.record import Status
from tests.conftest import ROOT
from tests.survival.helpers import few_personas, tables
from tests.survival.test_damage import CELL


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


def run(multirun, *overrides):
    command = [sys.executable, "run.py", *overrides, f"paths.multirun={multirun}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def undisturbed(harness, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    cell = [*CELL, few_personas(folder)]
    assert harness.start(*cell, f"paths.multirun={folder}")[0] == 0
    return cell, folder


@pytest.mark.parametrize("kib", [12, 600, 1400])  # what finds it full: the geometry, the adapter, its checkpoint
def test_a_full_disk_ends_in_one_sentence_and_room_mends_it(small_disk, undisturbed, kib):
    cell, whole = undisturbed
    multirun = small_disk(kib) / "multirun"
    full = run(multirun, *cell)
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
    assert run(multirun, *cell).returncode == 0
    assert {one.status for one in find(multirun)} == {Status.DONE}
    assert tables(multirun) == tables(whole)
