"""What Hydra has to know of us before it composes anything, and what becomes of a composed config."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import ConfigError
from leakage.models.wheels import hub_or_wheel
from leakage.settings.schema import hydra_schema, load
from leakage.studies.registry import studies, study_of
from leakage.studies.study import Study

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from leakage.jobs.job import Job
    from leakage.settings.config import Config


def register() -> None:
    """Tell Hydra every study's schema, the groups that have no files, and where a job's folder is."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    store = ConfigStore.instance()
    # Hydra deep-copies its singleton store, 112 personas and all, for every composition: two thirds of --help's time
    # and of a plan's. Sharing it is safe: nodes are copied again as they are loaded.
    ConfigStore.__deepcopy__ = lambda self, _: self
    for study in studies():
        store.store(name=study.schema, node=hydra_schema(study.settings()))
    options = {  # studies share some, and each takes Hydra a millisecond
        (group, value): option.key.rpartition(".")[2]
        for study in studies()
        for group, option in study.options().items()
        for value in sorted(option.values)
    }
    for (group, value), key in options.items():
        store.store(group=group, name=value, node={key: value})
    OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
    OmegaConf.register_new_resolver("last_part", lambda path: str(path).rstrip("/").rpartition("/")[2], replace=True)
    OmegaConf.register_new_resolver("hub_or_wheel", hub_or_wheel, replace=True)
    OmegaConf.register_new_resolver("half", lambda number: number // 2, replace=True)
    OmegaConf.register_new_resolver("plan_mode", lambda plan: "MULTIRUN" if plan else None, replace=True)


def refuse_chdir(cfg: "DictConfig") -> None:
    """An error where Hydra is to change the folder: a relative path in the settings would then mean another one."""
    if cfg.job.chdir:
        raise ConfigError(
            "hydra.job.chdir=true: relative paths such as paths.multirun would mean another folder; leave it out"
        )


def study_of_config(cfg: "DictConfig") -> Study:
    """The study that a composed config is of, by its shape."""
    return study_of(str(key) for key in cfg if key != "hydra")


def load_job(cfg: "DictConfig") -> "Job":
    """The job of a composed config."""
    study = study_of_config(cfg)
    return study.job(load(cfg, study.settings()))


def compose(overrides: Sequence[str], config_name: str = "config") -> "Config":
    """The settings that `python run.py` with these overrides would have, for the programs beside it."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    register()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        cfg = hydra_compose(config_name, list(overrides))
        return load(cfg, study_of_config(cfg).settings())


def _job_folder(*, _root_: "DictConfig") -> str:
    """Folder of the composed job below paths.multirun; Hydra writes its own notes there as well."""
    return str(load_job(_root_).folder)
