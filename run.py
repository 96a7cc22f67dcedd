"""The one entrypoint: `python run.py` does one job, `python run.py -m …` a sweep of them."""

import sys

try:
    import hydra
except ModuleNotFoundError:
    sys.exit(
        "error: hydra is not installed for this Python; source .venv/bin/activate first (any make target sets it up)"
    )
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from leakage.cli.errors import guarded
from leakage.cli.primary import with_primary_config
from leakage.cli.register import refuse_chdir, register, study_of_config
from leakage.errors import ConfigError
from leakage.settings.schema import load

register()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> str:
    """Run one composed job; alone, it also does what its result is read against."""
    from leakage.jobs.idle import refuse_idle
    from leakage.jobs.run import run

    study, hydra_config = study_of_config(cfg), HydraConfig.get()
    refuse_chdir(hydra_config)
    job = study.job(load(cfg, study.settings()))
    launcher = hydra_config.runtime.choices["hydra/launcher"]
    if hydra_config.mode == RunMode.RUN and launcher != "basic" and not job.config.planned:
        raise ConfigError(f"hydra/launcher={launcher} is for sweeps: add -m, or hydra/launcher=basic to run it here")
    if not job.config.planned:
        refuse_idle([(tuple(hydra_config.overrides.task), job)])
    return run(job, shown_by=study.shown_by)


if __name__ == "__main__":
    sys.argv[1:] = with_primary_config(sys.argv[1:])
    guarded(main)
