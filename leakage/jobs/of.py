"""From settings to the job they describe, of either study."""

from leakage.jobs.job import Staged
from leakage.settings.config import Config
from leakage.studies.alignment_faking.settings import FakingConfig
from leakage.studies.alignment_faking.trial import Trial
from leakage.studies.persona_leakage.cell import Cell


def job_of(config: Config) -> Staged:
    """A cell of the first study or a trial of the second."""
    return Trial(config) if isinstance(config, FakingConfig) else Cell(config)
