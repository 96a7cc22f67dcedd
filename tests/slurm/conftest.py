"""A private SLURM for the tests of this folder, up once for all of them."""

import os
from collections.abc import Iterator

import pytest

from tests.slurm.cluster import Cluster, how_to_install, missing_programs


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes of eight GPUs; without the programs or without root the test says what to do, and skips."""
    if missing := missing_programs():
        pytest.skip(f"a private SLURM needs {how_to_install(missing)}")
    if os.geteuid() != 0:
        pytest.skip("a private SLURM needs root, which alone may make the devices that stand for GPUs")
    private = Cluster(tmp_path_factory.mktemp("slurm"))
    private.up()
    try:
        yield private
    finally:
        private.down()
