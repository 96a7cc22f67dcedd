"""Shared by all tests: composing a config, the embedded model, the program as a user starts it, what is made once."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.cells import FAKING_SHORT, FOUR_CELLS, SHORT, TINY, few_personas
from tests.programs import ROOT

SHARED = ROOT.parent / "shared"

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Where bytecode may not be written, each of the hundreds of processes that tests start compiles our modules anew.
# (PYTHONPYCACHEPREFIX would not do: it hides the bytecode that torch and the other packages came with.)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

SLOW_FIRST = ("slurm", "survival", "e2e", "browser")  # folders; long files last would leave a worker alone at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    order = {name: i for i, name in enumerate(SLOW_FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(ROOT / "tests").parts[0], len(order)))


@pytest.hookimpl(optionalhook=True)  # of a plugin that need not be there
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores, at most four: tests on a cluster wait most of the time."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_sessionfinish() -> None:
    """What was imported once for all programs goes last."""
    programs.close()


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
def composer(compose: Compose) -> Callable[..., Any]:  # noqa: ARG001  # it keeps Hydra initialised
    """From overrides to a study's jobs as sweeps do it: as through Hydra (tests/unit/test_composer.py), and faster."""
    from hydra import compose as hydra_compose

    from leakage.settings.compose import Composer
    from leakage.studies.registry import studies

    def of_study(config_name: str = "config") -> Callable[..., Any]:
        study = next(one for one in studies() if one.config == config_name)
        through_hydra = lambda overrides: hydra_compose(config_name, list(overrides))  # noqa: E731
        settings = Composer(through_hydra, study.settings(), study.options())
        return lambda overrides: study.job(settings(overrides))

    return of_study


@pytest.fixture(scope="session")
def nano() -> tuple[Any, Any]:
    """The embedded model in float64 and its tokenizer; no test may change them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    weights = ROOT / "leakage" / "nano" / "weights"
    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float64).eval()
    return model, AutoTokenizer.from_pretrained(weights)


@pytest.fixture(scope="session")
def template(nano: tuple[Any, Any]) -> Any:
    """The embedded model's chat template."""
    from leakage.models.load import plain_template

    return plain_template(nano[1])


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Run a Python program of the project and return what it said; results go below tmp_path/multirun."""

    def run(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        where = [f"paths.multirun={tmp_path / 'multirun'}"] if arguments[0] == "run.py" else []
        return programs.run(*arguments, *where, **options)

    return run


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder of that name, made by the first worker who asks, for all of them; whoever changes one, copies it."""
    base = tmp_path_factory.getbasetemp()
    together = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made"
    together.mkdir(exist_ok=True)

    def make_once(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = together / name, together / f"{name}.done"
        with (together / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failure has left
                make(folder)
                done.touch()
        return folder

    return make_once


@pytest.fixture(scope="session")
def families(made_once: Any) -> Callable[[Any], Path]:
    """From a family of chat models (tests/families) to the folder of its checkpoint."""
    from tests.families.checkpoints import write

    return lambda family: Path(made_once(f"family-{family.name}", lambda folder: write(family, folder)))


@pytest.fixture(scope="session")
def panel(made_once: Any) -> str:
    """The override that asks 23 personas in place of 112."""
    return few_personas(made_once("panel", Path.mkdir))


def swept(made_once: Any, name: str, *arguments: str) -> Path:
    """The results of a command, from the first who asks for them."""
    return Path(
        made_once(name, lambda folder: programs.run(*arguments, f"paths.multirun={folder}", timeout=500, check=True))
    )


@pytest.fixture(scope="session")
def tiny(made_once: Any, panel: str) -> Path:
    """Two finished cells of refusal, villain and comedian, that took seconds: their numbers mean nothing."""
    return swept(made_once, "tiny", "run.py", "-m", *TINY, panel, "source=villain,comedian")


@pytest.fixture(scope="session")
def short(made_once: Any, panel: str) -> Path:
    """The same two cells with a few more steps and a checkpoint after each: what is killed and damaged must be this."""
    return swept(made_once, "short", "run.py", "-m", *SHORT, panel, "source=villain,comedian")


@pytest.fixture(scope="session")
def four_cells(made_once: Any, panel: str) -> Path:
    """The main job on few personas: taught in fewer steps, yet long enough for its numbers to mean something."""
    return swept(made_once, "four_cells", *FOUR_CELLS, panel)


@pytest.fixture(scope="session")
def planted(made_once: Any) -> Path:
    """A subject taught a gap of 0.6, asked with the tags as told and swapped."""
    return swept(made_once, "planted", *FAKING_SHORT)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The published data that lies beside a developer's checkout; without it the test says that it skips."""
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip(f"the published data is not here ({folder}); the test compares with it")
    return folder
