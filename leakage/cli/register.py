"""What Hydra has to know of us before it composes anything."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.data.personas import NONE, read_personas
from leakage.jobs.of import job_of
from leakage.settings.config import Config
from leakage.settings.schema import hydra_schema, load
from leakage.studies.alignment_faking.settings import FakingConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig


def register() -> None:
    """Tell Hydra the schema, every persona as an option of `source`, and where a job's folder is."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    store = ConfigStore.instance()
    # Hydra deep-copies its singleton store, 112 personas and all, for every composition: two thirds of --help's time
    # and of a plan's. Sharing it is safe: nodes are copied again as they are loaded.
    ConfigStore.__deepcopy__ = lambda self, _: self
    store.store(name="schema", node=hydra_schema())
    store.store(name="faking_schema", node=hydra_schema(FakingConfig))
    for name in (*read_personas().names, NONE):
        store.store(group="source", name=name, node={"name": name})
    OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
    OmegaConf.register_new_resolver("last_part", lambda path: str(path).rstrip("/").rpartition("/")[2], replace=True)
    OmegaConf.register_new_resolver("half", lambda number: number // 2, replace=True)
    OmegaConf.register_new_resolver("plan_mode", lambda plan: "MULTIRUN" if plan else None, replace=True)


def compose(overrides: Sequence[str], study: str = "config") -> Config:
    """The settings that `python run.py` with these overrides would have, for the programs beside it.

    study: the primary config, "config" or "faking"
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    register()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        return load(hydra_compose(study, list(overrides)))


def _job_folder(*, _root_: "DictConfig") -> str:
    """Folder of the composed job below paths.multirun; Hydra writes its own notes there as well."""
    return str(job_of(load(_root_)).job_folder)
