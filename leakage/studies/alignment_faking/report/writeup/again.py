"""The trials of a write-up with what runs each of them again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leakage.report.again import Usual
from leakage.report.commands import below, run, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from leakage.settings.config import Config
    from leakage.studies.alignment_faking.report.trials import Row, TrialPage
    from leakage.studies.alignment_faking.report.writeup.trials import Trials
    from leakage.studies.alignment_faking.settings import FakingConfig
    from leakage.studies.study import Compose

CHOSEN = ("arm.name", "seed", "job")
VARYING = re.compile(r"^(?:seed|planned): .*\n", re.MULTILINE)
TAUGHT = ("behavior.", "source.", "data.")  # settings of an adapter of the first study alone


@dataclass(frozen=True)
class Again:
    """A trial, and what runs it again beside its subject and scenario. subject: the file of its settings."""

    page: TrialPage
    subject: str
    rest: tuple[str, ...]

    @property
    def row(self) -> Row:
        """Its first gap."""
        return self.page.row


def runnable(trials: Trials, compose: Compose | None) -> list[Again]:
    """The trials whose settings make files that there are; none without a way to compose the usual ones."""
    if compose is None:
        return []
    usual, where = Usual(compose), below(trials.multirun)
    asked = [page for page in trials.pages if not page.imported]
    read = [(page, overrides(page.judged.folder.parent, page.row["scenario"], usual)) for page in asked]
    return [Again(page, one[0], (*one[1], *where)) for page, one in read if one]


def overrides(transcripts: Path, scenario: str, usual: Usual) -> tuple[str, tuple[str, ...]] | None:
    """The file of a trial's subject, and every override beside that and the scenario; None where nothing makes it."""
    written = usual.written(transcripts, [f"scenario={scenario}"], VARYING)
    if written is None:
        return None
    for subject, more in _subjects(written, usual.model(written, [f"scenario={scenario}"])):
        chosen = [f"scenario={scenario}", f"subject={subject}", *more]
        if usual.fits(chosen, lambda one: as_faking(one).subject.name == as_faking(written).subject.name):
            return subject, (*more, *_arm_and_rest(written, chosen, usual))
    return None


def as_faking(config: Config) -> FakingConfig:
    """Settings as those of this study, which its own `compose` makes."""
    from leakage.studies.alignment_faking.settings import FakingConfig

    assert isinstance(config, FakingConfig)
    return config


def _subjects(written: Config, model: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Files that a subject may be of, with what each has to be told: its own, any local model, any of a provider."""
    subject = as_faking(written).subject
    yield subject.name, ()
    if subject.where == "local":
        yield "local", model
        yield "base_text", model
    else:
        yield subject.provider, (setting("subject.model", subject.model),)


def _arm_and_rest(written: Config, chosen: list[str], usual: Usual) -> tuple[str, ...]:
    arm = as_faking(written).arm
    files = ((), (f"arm={arm.kind}",), (f"arm={arm.name}", *([setting("arm.path", arm.path)] if arm.path else [])))
    taught = _first_study(written) if arm.kind == "leakage" else ()
    for file in files:
        if usual.fits([*chosen, *file, *taught], lambda one: as_faking(one).arm.kind == arm.kind):
            rest = usual.rest(written, [*chosen, *file, *taught], but=CHOSEN)
            mine = rest if taught else tuple(one for one in rest if not one.startswith(TAUGHT))
            return (*file, *taught, *mine)
    return usual.rest(written, chosen, but=CHOSEN)


def _first_study(written: Config) -> tuple[str, ...]:
    config = as_faking(written)
    return f"behavior={config.behavior.name}", setting("source.name", config.source.name)


def command(again: Iterable[Again], *more: str, scenarios: Sequence[str] = ()) -> tuple[str, ...]:
    """Commands that run these trials with more overrides; scenarios: others in the place of theirs."""
    jobs = [((one.subject, name), one.rest) for one in again for name in scenarios or (one.row["scenario"],)]
    return run(jobs, ("subject", "scenario"), *more, config="faking")
