"""Hydra finds this sweeper by its namespace; what it decides is in leakage.jobs.plan."""

import logging
from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from leakage.errors import ConfigError, SweepError
from leakage.jobs.board import outcome
from leakage.jobs.estimate import estimate
from leakage.jobs.plan import Job, Overrides, Plan, make_plan, missed, set_aside
from leakage.jobs.preflight import answerers, preflight
from leakage.jobs.signals import stopping_softly
from leakage.settings.schema import Composer

log = logging.getLogger(__name__)
GO_ON = "the same command goes on with them"


class LeakageSweeper(BasicSweeper):  # type: ignore[misc]  # hydra is untyped
    """Adds what cells need, leaves out what is done, launches the rest and tells from their records how it went."""

    def sweep(self, arguments: list[str]) -> object:
        """Plan, look, launch. One job that fails stops no other; any that is not done at the end is an error."""
        assert self.config is not None
        plan = make_plan(self._cells(arguments), Composer(self._through_hydra))
        if len({job.cell.config.paths.multirun for job in plan.jobs}) > 1:
            raise ConfigError("paths.multirun has several values; a sweep has one folder, so start one sweep for each")
        if self.config.plan:
            shown = [plan.shown(self.config.mode), estimate(plan), *(f"before: {one}" for one in answerers(plan.todo))]
            log.info("%s\nplan=true: nothing was run", "\n".join(shown))
            return []
        jobs = plan.launched(self.config.mode)
        log.info(plan.told(self.config.mode))
        return self._launch(plan, jobs) if jobs else []

    def _launch(self, plan: Plan, jobs: list[Job]) -> object:
        """Hand the jobs to the launcher, each held to its place in the plan; their records tell how it went."""
        assert self.config is not None
        assert self.launcher is not None
        here = not getattr(self.launcher, "ELSEWHERE", False)
        preflight(jobs, refuse=self.config.preflight == "refuse", here=here)
        if self.config.mode == "force":
            set_aside(job.cell for job in jobs if job.asked)
        name = plan.keep()
        place = {job.planned.folder: i for i, job in enumerate(plan.jobs)}
        batch = [[*job.overrides, f"planned={name}/{place[job.planned.folder]}"] for job in jobs]
        try:
            with stopping_softly():
                results = self.launcher.launch(batch, initial_job_idx=0)
        finally:
            left = missed(jobs)
            log.info(outcome(left, of=len(jobs)))
        if left:
            raise SweepError(f"{len(left)} of {len(jobs)} jobs are not done; the table above says why, and {GO_ON}")
        return results

    def _cells(self, arguments: list[str]) -> list[Overrides]:
        """The overrides of every cell of the grid."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides: list[Override] = parser.parse_overrides([*self._parse_config(), *arguments])
        if any(one.get_key_element() == "experiment" and one.is_sweep_override() for one in overrides):
            raise ConfigError("an experiment is a sweep by itself: start them one after the other")
        self._refuse_other_study()
        (cells,) = BasicSweeper.split_arguments(overrides, None)
        if not cells:
            raise ConfigError("the sweep is empty: a glob or a list in it matches nothing")
        return [tuple(cell) for cell in cells]

    def _refuse_other_study(self) -> None:
        """An experiment of the first study would compose under the second one's config, into something else."""
        assert self.config is not None
        chosen = str(self.config.hydra.runtime.choices.get("experiment"))
        if self.config.hydra.job.config_name == "faking" and chosen != "None" and "faking" not in chosen:
            raise ConfigError(f"experiment={chosen} is of the first study; leave out --config-name faking")

    def _through_hydra(self, overrides: Sequence[str]) -> DictConfig:
        assert self.hydra_context is not None
        composed: DictConfig = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        return composed
