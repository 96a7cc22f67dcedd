"""Starting up is quick and loads nothing heavy."""

import os
import subprocess
import sys
import time

from leakage.behaviors import behavior_names
from leakage.personas import read_personas
from tests.conftest import ROOT


def test_help_names_behaviors_sources_and_models_without_torch():
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(
        [sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, text=True, env=environment, check=True
    )
    for name in (*behavior_names(), *read_personas().names, "nano", "qwen2.5-7b-instruct"):
        assert name in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"torch", "transformers", "pandas", "matplotlib"}


def test_help_takes_less_than_a_second_and_a_half():
    times = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, check=True)
        times.append(time.monotonic() - started)
    assert min(times) < 1.5
