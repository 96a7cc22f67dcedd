"""Shared by the tests that kill, damage and fill up."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT


class Harness:
    """Starts jobs in processes that can be killed at a moment."""

    def __init__(self, log) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.survival.harness"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip

    def start(self, *overrides, kill_after=None):
        """Exit status (minus the signal's number for a kill) and seconds of one start."""
        self._process.stdin.write(json.dumps({"overrides": overrides, "kill_after": kill_after}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["code"], answer["seconds"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def harness(tmp_path_factory) -> Iterator[Harness]:
    with (tmp_path_factory.mktemp("harness") / "log").open("w") as log:
        started = Harness(log)
        yield started
        started.close()
