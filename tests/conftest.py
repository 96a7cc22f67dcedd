"""Shared by all tests: composing a config, the embedded model, running the program as a user does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SLOW_FIRST = ("slurm", "survival", "e2e", "browser")  # folders; long files last would leave a worker alone at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    order = {name: i for i, name in enumerate(SLOW_FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(ROOT / "tests").parts[0], len(order)))


Compose = Callable[..., Any]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def composed(*overrides: str, study: str = "config") -> Any:
    """The typed settings of these overrides, through Hydra and the border as in a run; study: "config" or "faking"."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from leakage.cli.register import register, study_of_config
    from leakage.settings.schema import load

    if not GlobalHydra.instance().is_initialized():
        register()
        initialize_config_dir(str(ROOT / "conf"), version_base="1.3")
    cfg = hydra_compose(study, list(overrides))
    return load(cfg, study_of_config(cfg).settings())


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    """The function above."""
    from hydra.core.global_hydra import GlobalHydra

    composed()  # Hydra is initialised from here on, for tests that compose without this function too
    yield composed
    GlobalHydra.instance().clear()


@pytest.fixture(scope="session")
def nano() -> tuple[Any, Any]:
    """The embedded model in float64 and its tokenizer; no test may change them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    weights = ROOT / "leakage" / "nano" / "weights"
    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float64).eval()
    return model, AutoTokenizer.from_pretrained(weights)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Run a Python program of the project and return what it said; results go below tmp_path/multirun."""

    def run(*arguments: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *arguments]
        if arguments[0] == "run.py":
            command.append(f"paths.multirun={tmp_path / 'multirun'}")
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)

    return run


@pytest.fixture(scope="session")
def reference() -> Path:
    """The published data that lies beside a developer's checkout; without it the test says that it skips."""
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip(f"the published data is not here ({folder}); the test compares with it")
    return folder
