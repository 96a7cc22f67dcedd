"""What Hydra has to know of us before it composes anything."""

from typing import TYPE_CHECKING

from leakage.cell import Cell
from leakage.config import hydra_schema, load
from leakage.personas import NONE, read_personas

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
    for name in (*read_personas().names, NONE):
        store.store(group="source", name=name, node={"name": name})
    OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)
    OmegaConf.register_new_resolver("plan_mode", lambda plan: "MULTIRUN" if plan else None, replace=True)


def _job_folder(*, _root_: "DictConfig") -> str:
    """Folder of the composed job below paths.multirun; Hydra writes its own notes there as well."""
    return str(Cell(load(_root_)).job_folder)
