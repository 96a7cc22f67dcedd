"""What results are compared by, and a cell that is killed at a moment."""

import hashlib
import subprocess
from time import monotonic

import pandas as pd

from tests import programs
from tests.slurm.processes import until


def tables(multirun):
    """Digest of every table of numbers below a folder, by its name there: what a result is."""
    found = [path for pattern in ("*.parquet", "*.safetensors") for path in multirun.rglob(pattern)]
    kept = [path for path in found if not any(part.startswith(("replaced-", "parts-")) for part in path.parts)]
    return {str(path.relative_to(multirun)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def tables_of(multirun, source):
    """Those of the cell of one source of two, with what it is read against."""
    other = {"villain": "comedian", "comedian": "villain"}[source]
    return {name: digest for name, digest in tables(multirun).items() if f"/{other}/" not in name}


def same_frame(one, other):
    """Whether two tidy frames hold the same numbers."""
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    return True


def attempt(multirun, *overrides, kill_after=None):
    """Exit status (minus the signal's number for a kill) and seconds of one start."""
    started = monotonic()
    process = start_quietly(multirun, *overrides)
    try:
        process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait(), monotonic() - started


def start_quietly(multirun, *overrides):
    """One start of a cell, of which nobody reads what it says."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return programs.start("run.py", *overrides, f"paths.multirun={multirun}", **quiet)


def kill_once(condition, multirun, *overrides):
    """Start a cell, wait for something it does, and kill it there; one that ends before is an error of the test."""
    process = start_quietly(multirun, *overrides)
    try:
        until(lambda: condition() or process.poll() is not None, "the moment to kill the cell", seconds=120)
        assert process.poll() is None, process.returncode
    finally:
        process.kill()
        process.wait()
