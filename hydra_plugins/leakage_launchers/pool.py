"""A launcher for one machine without SLURM: every GPU, or every core, has one cell at a time."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from leakage.errors import ConfigError

if TYPE_CHECKING:
    from leakage.jobs.launch.workers import Task
    from leakage.store.plans import PlannedJob

OWN = ("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper", "hydra.sweep", "hydra.mode")


class PoolLauncher(Launcher):  # type: ignore[misc]  # hydra is untyped
    """Starts `run.py` once for each job, so that a crash takes nothing else with it."""

    def __init__(self, slots: int | None = None) -> None:
        if slots is not None and (not isinstance(slots, int) or slots < 1):
            raise ConfigError(f"hydra.launcher.slots={slots}: give a whole number from 1 on, or null for all there are")
        self.slots = slots
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:  # noqa: ARG002
        """See Launcher.setup."""
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:  # noqa: ARG002
        """Run all jobs; how each ended is in its records."""
        from leakage.jobs.launch.workers import make_slots, run_all
        from leakage.jobs.status import note_unbegun
        from leakage.store.plans import planned_job

        assert self.config is not None
        multirun = Path(self.config.paths.multirun)
        references = [one.partition("=")[2] for overrides in job_overrides for one in overrides if _is_reference(one)]
        jobs = [planned_job(multirun, reference) for reference in references]
        tasks = [self._task(job, overrides, multirun) for job, overrides in zip(jobs, job_overrides, strict=True)]
        for task, how in run_all(tasks, make_slots(self.slots)):
            note_unbegun(multirun, jobs[tasks.index(task)], f"it ended before it began: {how}", task.log)
        return []

    def _task(self, job: "PlannedJob", overrides: Sequence[str], multirun: Path) -> "Task":
        from leakage.jobs.launch.workers import Task

        assert self.config is not None
        hydras: list[Any] = [one for one in self.config.hydra.overrides.hydra if not one.startswith(OWN)]
        arguments = ["--config-name", self.config.hydra.job.config_name, *overrides, *hydras, "hydra.mode=RUN"]
        return Task(job.label, Path(sys.argv[0]).resolve(), arguments, multirun / job.folder / "console.log")


def _is_reference(override: str) -> bool:
    return override.startswith("planned=")
