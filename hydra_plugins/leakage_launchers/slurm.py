"""Hydra's submitit launcher for SLURM, which leaves it to the cells' own records how each of them ended."""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher

from leakage.errors import SweepError

if TYPE_CHECKING:
    from leakage.jobs.launch.slurm import Submissions
    from leakage.store.plans import PlannedJob

log = logging.getLogger(__name__)
INIT = {"max_num_timeout", "submitit_folder"}


class LeakageSlurmLauncher(SlurmLauncher):  # type: ignore[misc]  # hydra is untyped
    """One SLURM job a cell, in as many arrays as the cluster's MaxArraySize asks for."""

    ELSEWHERE = True  # this machine's GPUs say nothing about those of the jobs

    def __call__(self, *arguments: Any, **named: Any) -> JobReturn:
        """In the job: run it; a failure is SLURM's to know as well."""
        import submitit

        from leakage.store.claim import LOG_VARIABLE

        logging.getLogger("submitit").propagate = False  # it has a handler of its own, and would say all twice
        os.environ[LOG_VARIABLE] = str(submitit.JobEnvironment().paths.stdout)
        ended = super().__call__(*arguments, **named)
        if ended.status != JobStatus.COMPLETED:
            traceback.print_exception(ended._return_value)
            sys.exit(1)
        return ended

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit what SLURM does not have already, and wait until it has none of the jobs any more."""
        from leakage.jobs.launch.slurm import Submissions, last_words, wait
        from leakage.jobs.status import note_unbegun

        assert self.config is not None
        multirun = Path(self.config.paths.multirun)
        planned = {job.folder: job for job in (_planned(multirun, one) for one in job_overrides)}
        folders = dict(zip(planned, job_overrides, strict=True))
        submissions = Submissions(multirun)
        active = {folder: id for folder, id in submissions.active().items() if folder in folders}
        if active:
            log.info("%d of the jobs are in SLURM's hands since an earlier start: %s", len(active), _short(active))
        todo = {folder: overrides for folder, overrides in folders.items() if folder not in active}
        by_folder = active | self._submit(todo, submissions, initial_job_idx)
        ids = list(by_folder.values())
        try:
            wait(ids)
        except (KeyboardInterrupt, SystemExit):
            numbers = " ".join(sorted({id.partition("_")[0] for id in ids}))
            log.warning("the jobs go on: make status shows them, scancel %s ends them", numbers)
            raise
        words = last_words(list(by_folder.values()))
        for folder, id in by_folder.items():
            cause = f"it ended before it began: SLURM says {words.get(id, 'nothing of it, so it was cancelled')}"
            log_file = Path(self.params["submitit_folder"].replace("%j", id), f"{id}_0_log.out")
            note_unbegun(multirun, planned[folder], cause, log_file)
        return []

    def _submit(self, todo: dict[str, Sequence[str]], submissions: "Submissions", start: int) -> dict[str, str]:
        """Job ids by folder."""
        from leakage.jobs.launch.slurm import arrays, max_array_size

        if not todo:
            return {}
        size = max_array_size()
        executor = self._executor(parts=-(-len(todo) // size))
        ids: dict[str, str] = {}
        for array in arrays(list(todo.items()), size):
            calls = [
                (list(overrides), "hydra.sweep.dir", start + len(ids) + i, "", Singleton.get_state())
                for i, (_, overrides) in enumerate(array)
            ]
            try:
                jobs = executor.map_array(self, *zip(*calls, strict=True))
            except Exception as error:  # submitit gives sbatch's own words
                cause = "; ".join(" ".join(str(error).split()).split("sbatch: error: ")[1:]) or str(error)
                raise SweepError(
                    f"SLURM refused the jobs: {cause}; mend site.{{partition,account,cpus,memory_gb}} or "
                    f"hydra.launcher.… ({len(ids)} of {len(todo)} jobs are submitted and go on)"
                ) from error
            submissions.note({job.job_id: folder for job, (folder, _) in zip(jobs, array, strict=True)})
            ids |= {folder: job.job_id for job, (folder, _) in zip(jobs, array, strict=True)}
        log.info("%d jobs submitted to SLURM: %s; logs in %s", len(ids), _short(ids), executor.folder.parent)
        return ids

    def _executor(self, *, parts: int) -> Any:
        """submitit's executor with the launcher's settings; several arrays share the limit on jobs at once."""
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        shared = {field.name for field in fields(BaseQueueConf)}
        settings = {name if name in shared else f"slurm_{name}": value for name, value in self.params.items()
                    if name not in INIT}  # fmt: skip
        settings["slurm_array_parallelism"] = max(1, self.params["array_parallelism"] // parts)
        executor = submitit.AutoExecutor(
            cluster="slurm",
            folder=self.params["submitit_folder"],
            slurm_max_num_timeout=self.params["max_num_timeout"],
        )
        executor.update_parameters(**settings)
        return executor


def _planned(multirun: Path, overrides: Sequence[str]) -> "PlannedJob":
    """A job by its place in the plan."""
    from leakage.store.plans import planned_job

    (reference,) = [one.partition("=")[2] for one in overrides if one.startswith("planned=")]
    return planned_job(multirun, reference)


def _short(ids: dict[str, str]) -> str:
    """The arrays of job ids."""
    return ", ".join(sorted({id.partition("_")[0] for id in ids.values()}))
