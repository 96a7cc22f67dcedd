"""A set of examples into an adapter, from the last whole checkpoint if there is one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.jobs.step import Space
from leakage.models.chat import Tokens
from leakage.models.memory import adapter_bytes
from leakage.models.out_of_memory import release_memory
from leakage.settings.config import Config
from leakage.settings.schema import write_config
from leakage.store.draft import Draft
from leakage.store.files import write_jsonl
from leakage.training.tracking import refuse_missing

if TYPE_CHECKING:
    from leakage.training.dose import Target

WEIGHTS = "adapter/adapter_model.safetensors"  # as peft saves them, below the record's folder

CHECKPOINT = 3  # an optimiser keeps two numbers for every weight of an adapter


def adapter_space(config: Config, *, along: int = 0) -> Space:
    """Bytes of an adapter and of those kept on its way, and those of its checkpoint while it is trained."""
    size = adapter_bytes(config.model, config.lora)
    return Space(stays=(1 + along) * size, passes=CHECKPOINT * size)


def train(
    config: Config, base: Any, tokens: Sequence[Tokens], draft: Draft, *,
    made_of: Mapping[str, Any], label: str, new_tokens: Sequence[int] = (), shuffled: bool = True,
    start: Path | None = None, target: "Target | None" = None,
    along: Sequence[int] = (),
) -> None:  # fmt: skip
    """Train, and put adapter, log and settings into the draft.

    made_of: what tells a checkpoint of this training from one of another. new_tokens: those whose embeddings are learnt
    start: an adapter that is trained on, in the place of a fresh one. target: the dose at which it ends
    along: steps after which the adapter is kept as it is then
    """
    from leakage.training.checkpoints import Checkpoints
    from leakage.training.sft import train_adapter

    refuse_missing(config.train.report_to)
    checkpoints = Checkpoints(draft.folder / "checkpoints", made_of, every_s=config.train.checkpoint_s)
    trained = train_adapter(
        base, tokens, draft.path("adapter"), lora=config.lora, train=config.train, seed=config.seed,
        checkpoints=checkpoints, label=label, new_tokens=new_tokens, shuffled=shuffled,
        start=start, target=target, along={step: draft.path(f"along/{step}") for step in along},
    )  # fmt: skip
    release_memory()
    write_jsonl(draft.path("train_log.jsonl"), trained.log)
    write_config(draft.path("config.yaml"), config)
    checkpoints.drop()
    draft.facts |= {
        "steps": trained.steps,
        "trainable_parameters": trained.trainable_parameters,
        "final_loss": trained.log[-1]["loss"],
    }
    if along:
        draft.facts["along"] = list(along)
    if target:
        write_jsonl(draft.path("dose.jsonl"), trained.doses)
        draft.facts |= {"dose": trained.doses[-1]["dose"], "until": target.until}
