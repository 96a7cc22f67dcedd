"""The one entrypoint: `python run.py` does one job, `python run.py -m …` a sweep of them."""

import sys

import hydra
from omegaconf import DictConfig

from leakage.border import load
from leakage.guard import guarded, sweep_flag_first
from leakage.register import register

register()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> str:
    """Run one composed job; alone, it also does the baseline and the geometry it is read against."""
    from leakage.pipeline import run

    return run(load(cfg))


if __name__ == "__main__":
    sys.argv[1:] = sweep_flag_first(sys.argv[1:])
    guarded(main)
