"""Hydra finds this sweeper by its namespace; what it decides is in leakage.jobs.plan.

Hydra imports every plugin at every start, --help included: what a sweep needs is imported when there is one.
"""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from leakage.errors import ConfigError, SweepError

if TYPE_CHECKING:
    from leakage.jobs.job import Job, Overrides
    from leakage.jobs.plan import Plan, PlanJob

log = logging.getLogger(__name__)
GO_ON = "the same command goes on with them"


class LeakageSweeper(BasicSweeper):  # type: ignore[misc]  # hydra is untyped
    """Adds what cells need, leaves out what is done, launches the rest and tells from their records how it went."""

    def sweep(self, arguments: list[str]) -> object:
        """Plan, look, launch. One job that fails stops no other; any that is not done at the end is an error."""
        from leakage.cli.register import refuse_chdir
        from leakage.jobs.estimate import estimate
        from leakage.jobs.plan import make_plan
        from leakage.jobs.preflight import before

        assert self.config is not None
        refuse_chdir(self.config.hydra)
        asked, compose = self._asked(arguments), self._composer()
        plan = make_plan(asked, compose)
        _check([(overrides, compose(overrides)) for overrides in asked])
        if self.config.plan:
            shown = [plan.shown(self.config.mode), estimate(plan), *(f"before: {one}" for one in before(plan.todo))]
            foretold = [words for job in plan.jobs if (words := job.job.foretold())]
            ran = "nothing was trained" if foretold else "nothing was run"
            log.info("%s\nplan=true: %s", "\n".join([*shown, *foretold]), ran)
            return []
        jobs = plan.launched(self.config.mode)
        log.info(plan.in_words(self.config.mode))
        return self._launch(plan, jobs) if jobs else []

    def _launch(self, plan: "Plan", jobs: "list[PlanJob]") -> object:
        """Hand the jobs to the launcher, each held to its place in the plan; their records tell how it went."""
        from leakage.jobs.plan import missed, set_aside
        from leakage.jobs.preflight import preflight
        from leakage.jobs.signals import stopping_softly
        from leakage.jobs.status import outcome

        assert self.config is not None
        assert self.launcher is not None
        here = not getattr(self.launcher, "ELSEWHERE", False)
        preflight(jobs, refuse=self.config.preflight == "refuse", here=here)
        if self.config.mode == "force":
            set_aside(job.job for job in jobs if job.asked)
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

    def _asked(self, arguments: list[str]) -> "list[Overrides]":
        """The overrides of every job of the grid."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides: list[Override] = parser.parse_overrides([*self._parse_config(), *arguments])
        if any(one.get_key_element() == "experiment" and one.is_sweep_override() for one in overrides):
            raise ConfigError("an experiment is a sweep by itself: start them one after the other")
        self._refuse_other_study()
        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        if not jobs:
            raise ConfigError("the sweep is empty: a glob or a list in it matches nothing")
        return [tuple(job) for job in jobs]

    def _refuse_other_study(self) -> None:
        """An experiment under another study's primary config would compose into something else."""
        from leakage.cli.primary import experiment_keys, study_of_keys
        from leakage.cli.register import study_of_config

        assert self.config is not None
        chosen = str(self.config.hydra.runtime.choices.get("experiment"))
        meant, here = study_of_keys(experiment_keys(chosen)), study_of_config(self.config)
        if meant and meant != here:
            raise ConfigError(f"experiment={chosen} is of --config-name {meant.config}; leave out the other one")

    def _composer(self) -> "Callable[[Overrides], Job]":
        """From overrides to jobs, each composed once."""
        from leakage.cli.register import study_of_config
        from leakage.settings.compose import Composer

        assert self.config is not None
        study = study_of_config(self.config)
        settings = Composer(self._through_hydra, study.settings(), study.options())
        return lru_cache(maxsize=None)(lambda overrides: study.job(settings(overrides)))

    def _through_hydra(self, overrides: Sequence[str]) -> DictConfig:
        assert self.hydra_context is not None
        composed: DictConfig = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        return composed


def _check(jobs: "Sequence[tuple[Overrides, Job]]") -> None:
    """What is wrong with a sweep as a whole."""
    from leakage.jobs.idle import refuse_collapse, refuse_idle

    if len({job.multirun for _, job in jobs}) > 1:
        raise ConfigError("paths.multirun has several values; a sweep has one folder, so start one sweep for each")
    refuse_idle(jobs)
    refuse_collapse(jobs)
