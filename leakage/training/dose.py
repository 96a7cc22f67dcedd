"""Training to a dose: it ends when the behavior, measured as it goes, has been taken up as far as was wanted."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

EVERY = 2  # steps between two measurements
NEAR = 0.5  # of the target: from there on every step is measured, since a step late is a good part of a dose


@dataclass(frozen=True)
class Target:
    """How far a behavior is to be taken up.

    until: the share at which training ends; measure: the share that a model with its adapter shows now
    """

    until: float
    measure: Callable[[Any], float]


def is_due(step: int, last: int, history: Sequence[Mapping[str, float]], until: float) -> bool:
    """Whether the dose is measured after a step, by what was measured before it."""
    measured = [entry["dose"] for entry in history if "dose" in entry]
    is_near = bool(measured) and measured[-1] >= NEAR * until
    return step % EVERY == 0 or step == last or is_near


def stopping(target: Target, alone: Callable[[Any], AbstractContextManager[None]]) -> Any:
    """A Trainer callback that ends training at its target; what it measures stands in Trainer's history, which is part
    of every checkpoint.

    alone: lets a model be asked one prompt at a time, however it is trained. It comes behind whatever saves, since
    nobody could tell that a training has ended from a checkpoint of its last step.
    """
    from transformers import TrainerCallback

    class Stopping(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
        def on_step_end(self, _args: Any, state: Any, control: Any, *, model: Any, **__: Any) -> None:
            if not is_due(state.global_step, state.max_steps, state.log_history, target.until):
                return
            with alone(model.eval()):
                share = target.measure(model)
            state.log_history.append({"step": state.global_step, "dose": share})
            if share >= target.until:
                control.should_training_stop, control.should_save = True, False

    return Stopping()
