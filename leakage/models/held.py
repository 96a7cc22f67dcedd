"""The base model that this process holds on to: the next job on the same one does not load it again."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leakage.models.chat import ChatTemplate
from leakage.models.check import Probes, refuse_unfit
from leakage.models.fingerprint import fingerprint
from leakage.models.load import for_training, load_base, load_template, quiet

if TYPE_CHECKING:
    from leakage.settings.config import Config, ModelSettings

log = logging.getLogger(__name__)
Loaded = Callable[[], tuple[Any, ChatTemplate]]  # the base model and its chat template, when they are needed

WIDER = {("bfloat16", "float32"), ("bfloat16", "float64"), ("float16", "float32"), ("float16", "float64"),
         ("float32", "float64")}  # fmt: skip
_held: dict[str, Any] = {}  # one at most: a model may fill the memory


def load_pair(config: "Config", label: str, probes: Probes) -> tuple[Any, ChatTemplate]:
    """Base model and chat template of a job, without the bars and notices that would tear ours.

    probes: what the template must tell apart, which is seen to before the weights are loaded. The base is the job's
    alone until it is kept: after a failure nobody knows what has become of it.
    """
    quiet()
    template = load_template(config.model)
    refuse_unfit(template, config.model, probes)
    base = _held.pop(_key(config.model, config.device), None)
    _held.clear()
    if base is not None:
        return for_training(base, config.model), template
    log.info("%s: loading %s", label, config.model.path)
    return load_base(config.model, config.device), template


def keep(base: Any, config: "Config", *, adapted: bool = False) -> None:
    """Hold on to a base for the next job, if its weights are still those that were loaded.

    They are not where they were narrowed, nor where an adapter was on them in float64, which takes it in for good.
    """
    dtype, used = config.model.dtype, config.model.inference_dtype
    if (dtype == used or (dtype, used) in WIDER) and not (adapted and used == "float64"):
        _held[_key(config.model, config.device)] = base


def _key(settings: "ModelSettings", device: str) -> str:
    """What tells one loaded model from another; a file that was replaced makes another."""
    content = fingerprint(settings.path, settings.revision)
    return f"{settings.path} {content} {settings.dtype} {settings.threads} {device}"
