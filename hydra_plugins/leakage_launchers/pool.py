"""A launcher for one machine without SLURM: every GPU, or every core, has one cell at a time."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from leakage.pool import Task, make_slots, run_all
from leakage.store.plans import planned_job

OWN = ("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper", "hydra.sweep", "hydra.mode")


class PoolLauncher(Launcher):  # type: ignore[misc]  # hydra is untyped
    """Starts `run.py` once for each job, so that a crash takes nothing else with it."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:  # noqa: ARG002
        """See Launcher.setup."""
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:  # noqa: ARG002
        """Run all jobs; how each ended is in its records."""
        run_all([self._task(overrides) for overrides in job_overrides], make_slots(self.slots))
        return []

    def _task(self, overrides: Sequence[str]) -> Task:
        assert self.config is not None
        multirun = Path(self.config.paths.multirun)
        (reference,) = [one.partition("=")[2] for one in overrides if one.startswith("planned=")]
        job = planned_job(multirun, reference)
        hydras: list[Any] = [one for one in self.config.hydra.overrides.hydra if not one.startswith(OWN)]
        command = [sys.executable, str(Path(sys.argv[0]).resolve()), "--config-name", self.config.hydra.job.config_name]
        return Task(job.label, [*command, *overrides, *hydras, "hydra.mode=RUN"], multirun / job.folder / "console.log")
