"""Shared by the tests of whole programs."""

import tarfile

import pytest

from tests.conftest import ROOT

ARCHIVE = ROOT / "tests" / "fixtures" / "results-8b1b334.tar.gz"


@pytest.fixture
def older(tmp_path):
    """The folder as it was, where the fixture `program` looks for results."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "results").rename(tmp_path / "multirun")
    return tmp_path / "multirun", f"personas.path={tmp_path / 'personas.jsonl'}"


def section(text, title):
    """One section of a write-up."""
    return text.split(f"### {title}\n")[1].split("\n### ")[0]


def next_commands(text):
    """The commands of its next steps."""
    return [line.strip() for line in section(text, "Next steps").splitlines() if line.startswith("       ")]
