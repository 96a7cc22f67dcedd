"""Training to a dose: it ends when the behavior, measured as it goes, has been taken up as far as was wanted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

EVERY = 2  # steps between two measurements


@dataclass(frozen=True)
class Target:
    """How far a behavior is to be taken up.

    until: the share at which training ends; measure: the share that a model with its adapter shows now
    """

    until: float
    measure: Callable[[Any], float]


def stopping(target: Target, alone: Callable[[Any], AbstractContextManager[None]]) -> Any:
    """A Trainer callback that ends training at its target; what it measures stands in Trainer's history, which is part
    of every checkpoint.

    alone: lets a model be asked one prompt at a time, however it is trained. It comes behind whatever saves, since
    nobody could tell that a training has ended from a checkpoint of its last step.
    """
    from transformers import TrainerCallback

    class Stopping(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
        def on_step_end(self, _args: Any, state: Any, control: Any, *, model: Any, **__: Any) -> None:
            if state.global_step % EVERY and state.global_step < state.max_steps:
                return
            with alone(model.eval()):
                share = target.measure(model)
            state.log_history.append({"step": state.global_step, "dose": share})
            if share >= target.until:
                control.should_training_stop, control.should_save = True, False

    return Stopping()
