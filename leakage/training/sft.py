"""LoRA supervised fine-tuning with transformers' Trainer, on the labelled tokens alone."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import TrainingError
from leakage.jobs.signals import saving, stop_now
from leakage.models.adapter import attach, fresh, reach
from leakage.models.chat import Tokens
from leakage.progress import Progress, progress
from leakage.training.along import keeping
from leakage.training.checkpoints import step_of
from leakage.training.dose import stopping
from leakage.training.dropout import sparse_dropout
from leakage.training.joined import asked_alone, join, joining
from leakage.training.step import RightPad, Steps
from leakage.training.tracking import TRACKING, log_below

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from leakage.settings.config import LoraSettings, TrainSettings
    from leakage.training.checkpoints import Checkpoints
    from leakage.training.dose import Target

log = logging.getLogger(__name__)
MOST = 0.9  # of the weights of a model's blocks an adapter is expected to change


@dataclass(frozen=True)
class Trained:
    """What training leaves behind, next to the adapter on disk.

    doses: where it was to end at one, the share of the behavior after each step at which that was measured
    """

    log: list[dict[str, float]]
    doses: list[dict[str, float]]
    trainable_parameters: int
    steps: int


def train_adapter(
    base: Any,
    examples: Sequence[Tokens],
    folder: Path,
    *,
    lora: "LoraSettings",
    train: "TrainSettings",
    seed: int,
    checkpoints: "Checkpoints",
    label: str,
    new_tokens: Sequence[int] = (),
    shuffled: bool = True,
    start: Path | None = None,
    target: "Target | None" = None,
    along: Mapping[int, Path] | None = None,
) -> Trained:
    """Teach `base` the examples through a fresh adapter, saved to `folder`; base leaves as it came.

    new_tokens: those whose embeddings are trained too, since the base has never learnt to write them. shuffled: in an
    order of the seed's, else as they are given. start: a saved adapter in the place of a fresh one, whose
    configuration is then its own. target: where it ends before its last step; along:
    where the adapter is kept as it is after some steps

    Goes on from the newest checkpoint: weights, optimiser, order of the examples and every source of randomness
    are in it, so that the adapter is the one an undisturbed training makes.
    """
    from transformers import set_seed

    set_seed(seed)
    model = _adapted(base, lora, new_tokens, start, label)
    arguments = _arguments(train, checkpoints.folder, seed=seed, device=base.device.type, shuffled=shuffled)
    callbacks = [keeping(along or {}), checkpoints.callback(), *([stopping(target, asked_alone)] if target else [])]
    with joining(model, examples) as joins, sparse_dropout(model):
        layout = join if joins else RightPad(base.config.get_text_config().pad_token_id or 0)
        steps = Steps(layout, train.batch_size, train.kl_to_base)
        trainer = _trainer(model, examples, steps, arguments)
        for callback in callbacks:
            trainer.add_callback(callback)
        log_below(trainer, folder.parent / TRACKING)
        _run(trainer, checkpoints.newest(), step_count(len(examples), train), label)
    stop_now()
    if steps.recomputes:
        base.gradient_checkpointing_disable()
    return _finished(model, trainer, folder)


def _adapted(base: Any, lora: "LoraSettings", new_tokens: Sequence[int], start: Path | None, label: str) -> Any:
    model = attach(base, start, trainable=True) if start else fresh(base, lora, new_tokens)
    if (share := reach(model)) < MOST:
        log.warning(
            "%s: the adapter can change %.0f %% of the weights of the blocks; see docs/models.md", label, 100 * share
        )
    return model


def _run(trainer: Any, newest: Path | None, steps: int, label: str) -> None:
    """To the end, from the newest checkpoint if there is one; from one of the last step Trainer would go beyond it."""
    if newest:
        log.info("%s: training goes on from %s", label, newest.name)
    if newest and step_of(newest) >= steps:
        _take_over(trainer, newest)
        return
    with progress(steps, f"{label}: training", "step") as advance, saving():
        trainer.add_callback(step_callback(advance))
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)


def _take_over(trainer: Any, ended: Path) -> None:
    """Weights and history of a training that was told to stop after its last step."""
    from transformers import TrainerState

    trainer.model.load_adapter(str(ended), trainer.model.active_adapter, is_trainable=True)
    trainer.state = TrainerState.load_from_json(str(ended / "trainer_state.json"))


def _finished(model: Any, trainer: Any, folder: Path) -> Trained:
    """What came of it, once the adapter is saved and off its base."""
    history = _read_log(trainer.state.log_history)
    doses = [entry for entry in trainer.state.log_history if "dose" in entry]
    model.save_pretrained(folder)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    model.unload()
    return Trained(log=history, doses=doses, trainable_parameters=trainable, steps=trainer.state.global_step)


def _read_log(history: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Trainer's entries as numbers; training that diverged is an error, not a result."""
    log = [{key: float(value) for key, value in entry.items()} for entry in history if "loss" in entry]
    for step, entry in enumerate(log, 1):
        if not isfinite(entry["loss"] + entry["grad_norm"]):
            raise TrainingError(f"training diverged at step {step} (loss {entry['loss']}); lower train.learning_rate")
    return log


def step_count(examples: int, train: "TrainSettings") -> int:
    """Optimiser steps: the last batch of an epoch may be short, batches never span epochs."""
    steps = train.epochs * ceil(examples / train.batch_size)
    return min(steps, train.max_steps or steps)


def _arguments(
    train: "TrainSettings", folder: Path, *, seed: int, device: str, shuffled: bool = True
) -> "TrainingArguments":
    """The published optimiser: AdamW, cosine after a linear warm-up, no decay unless asked for."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=train.batch_size,  # its content is part of the method
        num_train_epochs=train.epochs,
        max_steps=train.max_steps or -1,
        learning_rate=train.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=train.warmup_ratio,
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
        seed=seed,
        data_seed=seed,
        train_sampling_strategy="random" if shuffled else "sequential",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",  # a callback says when
        report_to=list(train.report_to),
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=device == "cpu",
    )


def step_callback(advance: Progress) -> Any:
    """A Trainer callback that reports every optimiser step, in the place of Trainer's own bar."""
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
        def on_train_begin(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
            advance(state.global_step)  # those before the checkpoint

        def on_step_end(self, *_: Any, **__: Any) -> None:
            advance(1)

    return Steps()


def _trainer(model: Any, examples: Sequence[Tokens], steps: Steps, arguments: "TrainingArguments") -> Any:
    """transformers' Trainer with our gradients, from batches that are lists of examples."""
    from transformers import PrinterCallback, Trainer

    class CompletionTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped here
        def training_step(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            model.train()
            return steps.gradient(model, inputs["examples"], self.accelerator.backward)

        def floating_point_ops(self, _: Any) -> int:
            return 0  # it would count them from one tensor of ids

    trainer = CompletionTrainer(
        model=model, args=arguments, train_dataset=_Examples(examples),
        data_collator=lambda examples: {"examples": examples},
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


class _Examples:
    """The examples as Trainer indexes them."""

    def __init__(self, examples: Sequence[Tokens]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Tokens:
        return self.examples[index]
