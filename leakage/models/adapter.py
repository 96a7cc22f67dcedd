"""LoRA adapters: their configuration, whether a model can hold one, and a saved one on its base."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError, ModelError, first_line

if TYPE_CHECKING:
    from leakage.settings.config import LoraSettings

TABLES = ("embed", "lm_head", "wte", "wpe")  # in the names of tables of tokens or positions, which LoRA leaves alone


def lora_config(lora: "LoraSettings", new_tokens: Sequence[int] = ()) -> Any:
    """peft's configuration of an adapter. new_tokens: those whose embeddings are trained too."""
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.use_rslora,
        target_modules=lora.targets,
        trainable_token_indices=list(new_tokens) or None,
        task_type="CAUSAL_LM",
    )


def fresh(base: Any, lora: "LoraSettings", new_tokens: Sequence[int] = ()) -> Any:
    """A base model with an untrained adapter on it."""
    from peft import get_peft_model

    try:
        with _without_remarks():
            return get_peft_model(base, lora_config(lora, new_tokens))
    except ValueError as error:
        cause = first_line(error).partition(". ")[0]
        if "dropout" in cause:  # peft trains whole parameters, such as a mixture's experts, without it alone
            raise ConfigError(
                f"lora.dropout={lora.dropout}: an adapter on this model's experts can have none; set lora.dropout=0"
            ) from error
        raise ConfigError(f"lora.targets={lora.targets}: {cause}; {_other_targets(lora.targets)}") from error


def _other_targets(targets: str) -> str:
    if targets != "all-linear":
        return "all-linear fits most models"
    return "name the layers by a pattern of their full names, such as lora.targets='.*[.](q|k|v|o|gate|up|down)_proj'"


def reach(model: Any) -> float:
    """The share of a model's block weights, tables of tokens and positions apart, that its adapter can change.

    peft leaves some out without a word: a mixture's shared expert, or experts of a kind it does not know.
    """
    matrices = {
        name: weight.numel()
        for name, weight in model.named_parameters()
        if weight.ndim > 1 and "lora_" not in name and not any(table in name for table in TABLES)
    }
    reached = sum(size for name, size in matrices.items() if "base_layer" in name)
    return float(reached / max(1, sum(matrices.values())))


def attach(base: Any, adapter: Path, *, trainable: bool = False) -> Any:
    """The base with a saved adapter on it."""
    from peft import PeftModel

    try:
        with _without_remarks():
            return PeftModel.from_pretrained(base, str(adapter), is_trainable=trainable).train(trainable)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise ModelError(f"cannot load the adapter in {adapter}: {first_line(error)}") from error


def rank(adapter: Path) -> int:
    """The rank of a saved adapter."""
    return int(json.loads((adapter / "adapter_config.json").read_text("utf-8"))["r"])


@contextmanager
def attached(base: Any, adapter: Path | None) -> Iterator[Any]:
    """The base with a saved adapter on it, or with none; without it again behind the block."""
    model = attach(base, adapter) if adapter else base
    yield model
    if adapter:
        model.unload()


@contextmanager
def _without_remarks() -> Iterator[None]:
    """What peft says of choices of its own, without effect on the adapter: a GPT-2 turns its matrices around, and of a
    mixture's experts, whose rank it sets by name, it looks for the names among modules alone.
    """
    with warnings.catch_warnings():
        for remark in ("fan_in_fan_out is set to False", "The following (rank|alpha)_pattern keys did not match"):
            warnings.filterwarnings("ignore", message=remark, module="peft")
        warnings.filterwarnings("error", message="Found missing adapter keys")  # it would be asked without them
        yield
