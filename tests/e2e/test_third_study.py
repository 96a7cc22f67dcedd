"""A study of one's own: a package, a primary config and one line in the registry, and the whole house knows it."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
HOUSE = ("leakage", "hydra_plugins", "conf", "run.py")
LAST_LINE = '    "leakage.studies.alignment_faking",\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the program with a third study in it, and the files that had to be touched for that."""
    folder = tmp_path_factory.mktemp("house")
    for name in HOUSE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.copytree(FIXTURES / "lengths", folder / "lengths")
    shutil.copy(FIXTURES / "lengths.yaml", folder / "conf" / "lengths.yaml")
    registry = folder / "leakage" / "studies" / "registry.py"
    registry.write_text(registry.read_text().replace(LAST_LINE, f'{LAST_LINE}    "lengths",\n'))
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    touched = sorted(str(path.relative_to(folder)) for path in after if before.get(path) != after[path])
    return folder, [name for name in touched if "__pycache__" not in name]


def start(house, *arguments):
    folder, _ = house
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def said_by(house, *arguments):
    process = start(house, *arguments)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    return text


def test_three_files_and_one_line_are_all_that_a_study_takes(house):
    folder, touched = house
    assert touched == [
        "conf/lengths.yaml", "leakage/studies/registry.py", "lengths/__init__.py", "lengths/study.py",
    ]  # fmt: skip
    lines = (folder / "leakage" / "studies" / "registry.py").read_text().splitlines()
    assert len(lines) == 1 + len((ROOT / "leakage" / "studies" / "registry.py").read_text().splitlines())


def test_it_plans_runs_goes_on_after_a_kill_and_is_seen_by_every_command(house, tmp_path):
    multirun, sweep = tmp_path / "multirun", ["run.py", "--config-name", "lengths", "-m", "seed=1,2"]
    where, read = f"paths.multirun={multirun}", ["--multirun", str(multirun)]
    assert "2 counts (0 done): 2 to run" in said_by(house, *sweep, where, "plan=true")

    slow = start(house, *sweep, where, "length.pause=60")
    while not list(multirun.glob("lengths/counts-1/.claim-*")):
        assert slow.poll() is None
        time.sleep(0.1)
    os.kill(slow.pid, signal.SIGKILL)
    slow.communicate()
    first = next(multirun.glob("lengths/prompts-1/manifest.json")).stat().st_mtime_ns
    status = said_by(house, "-m", "leakage", "status", *read)
    assert "1 partial, 1 missing" in status
    assert "lengths, seed 1" in status

    assert "2 of 2 jobs done" in said_by(house, *sweep, where)
    assert next(multirun.glob("lengths/prompts-1/manifest.json")).stat().st_mtime_ns == first
    assert "2 counts (2 done): nothing to compute" in said_by(house, *sweep, where)
    assert said_by(house, "-m", "leakage", "status", *read) == "2 done\n"

    table = said_by(house, "-m", "leakage", "table", "--study", "lengths", *read)
    assert "2 seeds counted." in table
    for _ in range(2):  # the second takes the first one's place
        assert "open it in a browser" in said_by(house, "-m", "leakage", "report", *read)
    assert "words" in next(multirun.glob("report*/index.html")).read_text()


def test_its_settings_alone_tell_that_it_is_meant(house, tmp_path):
    text = said_by(house, "run.py", "length.pause=0.1", "seed=3", f"paths.multirun={tmp_path}")
    assert "python -m leakage table --study lengths" in text
    assert list(tmp_path.glob("lengths/counts-3/counts.parquet"))
