"""From settings to the job they describe, of either study."""

from leakage.cell import Cell
from leakage.config import Config
from leakage.faking.config import FakingConfig
from leakage.faking.trial import Trial
from leakage.stages import Staged


def job_of(config: Config) -> Staged:
    """A cell of the first study or a trial of the second."""
    return Trial(config) if isinstance(config, FakingConfig) else Cell(config)
