"""The base model that this process holds on to: the next job on the same one does not load it again."""

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leakage.models.chat import ChatTemplate
from leakage.models.check import Probes, refuse_unfit
from leakage.models.fingerprint import fingerprint
from leakage.models.load import for_training, load_base, load_template, quiet
from leakage.models.memory import check_reachable
from leakage.models.out_of_memory import release_memory

if TYPE_CHECKING:
    from leakage.settings.config import Config

log = logging.getLogger(__name__)
WIDER = {("bfloat16", "float32"), ("bfloat16", "float64"), ("float16", "float32"), ("float16", "float64"),
         ("float32", "float64")}  # fmt: skip
_held: dict[str, Any] = {}  # one at most: a model may fill the memory


class Loaded:
    """Base model and chat template of a job, each loaded when it is first asked for and then shared by its steps.

    probes: what the template must tell apart, which is seen to before any weights are loaded. The base is the job's
    alone until it is kept: after a failure nobody knows what has become of it.
    """

    def __init__(self, config: "Config", label: str, probes: Probes) -> None:
        self.config, self.label, self.probes = config, label, probes

    @cached_property
    def template(self) -> ChatTemplate:
        """The tokenizer with its chat template."""
        quiet()
        check_reachable(self.config.model)
        template = load_template(self.config.model)
        refuse_unfit(template, self.config.model, self.probes)
        return template

    @cached_property
    def base(self) -> Any:
        """The base model: the one that this process holds, if that is the one that is wanted."""
        _ = self.template
        settings, held = self.config.model, _held.pop(self.key, None)
        _held.clear()
        if held is not None:
            return for_training(held, settings)
        log.info("%s: loading %s", self.label, settings.path)
        return load_base(settings, self.config.device)

    def keep(self, *, adapted: bool = False) -> None:
        """Hold on to the base for the next job, if its weights are still those that were loaded.

        They are not where they were narrowed, nor where an adapter was on them in float64, which takes it in for good.
        """
        dtype, used = self.config.model.dtype, self.config.model.inference_dtype
        if (dtype == used or (dtype, used) in WIDER) and not (adapted and used == "float64"):
            _held[self.key] = self.base
        release_memory()

    def release(self) -> None:
        """Let go of every base this process holds: another engine needs the memory."""
        self.__dict__.pop("base", None)
        _held.clear()
        release_memory()

    @cached_property
    def key(self) -> str:
        """What tells one loaded model from another; a file that was replaced makes another."""
        settings = self.config.model
        content = fingerprint(settings.path, settings.revision)
        return f"{settings.path} {content} {settings.dtype} {settings.threads} {self.config.device}"
