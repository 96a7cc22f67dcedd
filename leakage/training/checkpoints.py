"""Checkpoints of a training: each is a record, so that a half-written one is never taken for whole."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from leakage.jobs.signals import stop_now, stop_wanted
from leakage.store.aside import next_aside
from leakage.store.record import Record, Status

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints below a folder, as transformers' Trainer writes them: checkpoint-<step>.

    identity: what they were trained from; those of anything else are set aside. every_s: seconds between two.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, every_s: float) -> None:
        self.folder, self.identity, self.every_s = folder, dict(identity), every_s
        self._last = monotonic()

    def newest(self) -> Path | None:
        """The checkpoint to go on from; those that are not whole are set aside."""
        for path in sorted(self.folder.glob("checkpoint-*"), key=step_of, reverse=True):
            record = Record(path)
            if record.status() is Status.DONE and record.manifest and record.manifest.identity == self.identity:
                return path
            cause = record.damage() or "it belongs to another training"
            aside = next_aside(self.folder, f"-{path.name}")
            path.rename(aside)
            log.warning("%s: %s; kept in %s", path, cause, aside)
        return None

    def is_due(self) -> bool:
        """Whether to save after this step: time has passed, or the job is to stop."""
        return stop_wanted() or monotonic() - self._last >= self.every_s

    def seal(self, step: int) -> None:
        """Vouch for a checkpoint just written, and drop those before it; then stop if that is what it was for."""
        record = Record(self.folder / f"checkpoint-{step}")
        with record.writing("checkpoint", record.folder.name, identity=self.identity) as draft:
            for path in record.folder.iterdir():
                draft.path(path.name)
        for path in self.folder.glob("checkpoint-*"):
            if step_of(path) < step:
                shutil.rmtree(path)
        self._last = monotonic()
        stop_now()

    def drop(self) -> None:
        """Remove them; the adapter is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def callback(self) -> Any:
        """A Trainer callback that saves when it is due."""
        from transformers import TrainerCallback

        checkpoints = self

        class Saving(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
            def on_step_end(self, _args: Any, _state: Any, control: Any, **__: Any) -> None:
                control.should_save = checkpoints.is_due()

            def on_save(self, _args: Any, state: Any, _control: Any, **__: Any) -> None:
                checkpoints.seal(state.global_step)

        return Saving()


def step_of(path: Path) -> int:
    """After which step a checkpoint was written; -1 of what is none."""
    number = path.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1
