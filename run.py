"""The one entrypoint: `python run.py` does one job, `python run.py -m …` a sweep of them."""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from leakage.cli.errors import guarded, study_first, sweep_flag_first
from leakage.cli.register import register
from leakage.errors import ConfigError
from leakage.settings.schema import load

register()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> str:
    """Run one composed job; alone, it also does the baseline and the geometry it is read against."""
    from leakage.studies.persona_leakage.pipeline import run

    config, hydra_config = load(cfg), HydraConfig.get()
    launcher = hydra_config.runtime.choices["hydra/launcher"]
    if hydra_config.mode == RunMode.RUN and launcher != "basic" and not config.planned:
        raise ConfigError(f"hydra/launcher={launcher} is for sweeps: add -m, or hydra/launcher=basic to run it here")
    return run(config)


if __name__ == "__main__":
    sys.argv[1:] = study_first(sweep_flag_first(sys.argv[1:]))
    guarded(main)
