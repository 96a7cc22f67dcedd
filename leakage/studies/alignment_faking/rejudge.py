"""Another judge for finished transcripts: nobody is asked again but the judge, no model is loaded."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import StoreError
from leakage.jobs.step import Step, fill
from leakage.settings.schema import read_config
from leakage.store.find import Found, find
from leakage.store.manifest import Input
from leakage.store.record import Record, Status
from leakage.store.status import status
from leakage.studies.alignment_faking.data import TRANSCRIPTS
from leakage.studies.alignment_faking.judges import judge_for
from leakage.studies.alignment_faking.pipeline import judge
from leakage.studies.alignment_faking.settings import FakingConfig

if TYPE_CHECKING:
    from leakage.settings.config import Config

SHARED = (  # facts of transcripts that their outcomes have, too
    "study", "subject", "model", "arm", "scenario", "seed", "tiers", "gaps", "planted", "has_scratchpad", "train_id",
    "eval_id",
)  # fmt: skip


def rejudge(config: "Config", *, only: str | None = None) -> list[Record]:
    """Let the settings' judge vote on every finished set of transcripts below paths.multirun that it has not read yet.

    only: one scenario. Which replies rules can tell, and how many votes make a verdict, is as each trial had it.
    """
    multirun = Path(config.paths.multirun)
    todo = [step for step in _steps(multirun, config, only) if status(multirun, step) is not Status.DONE]
    for step in todo:
        fill(multirun, step, label=f"{step.facts['subject']} in {step.facts['scenario']}, seed {step.facts['seed']}")
    return [Record(multirun / step.folder) for step in todo]


def _steps(multirun: Path, config: "Config", only: str | None) -> Iterator[Step]:
    transcripts = [
        one
        for one in find(multirun)
        if one.status is Status.DONE and one.manifest and one.manifest.kind == "transcripts"
        and only in {None, one.manifest.facts["scenario"]}
    ]  # fmt: skip
    if not transcripts:
        raise StoreError(f"no finished transcripts{f' of {only}' if only else ''} below {multirun}; run a trial first")
    for one in transcripts:
        yield _step(multirun, one, config)


def _step(multirun: Path, one: Found, config: "Config") -> Step:
    assert one.manifest is not None
    facts = one.manifest.facts
    asked = _settings(one.folder, config)
    reader = judge_for(asked, has_scratchpad=facts["has_scratchpad"], is_outside="imported" in facts["settings"])
    folder = one.folder.relative_to(multirun)
    expected = {name: facts[name] for name in SHARED if name in facts}
    make = partial(
        judge, one.folder, reader, asked.reasoning.threshold, facts=expected, settings=facts["settings"],
        label=f"{facts['subject']} in {facts['scenario']}, seed {facts['seed']}",
    )  # fmt: skip
    return Step("outcomes", folder / reader.folder, reader.identity, make, (Input(folder, TRANSCRIPTS),), expected)


def _settings(folder: Path, config: "Config") -> FakingConfig:
    """The settings that the transcripts were made with, but for the judge and where the results lie."""
    assert isinstance(config, FakingConfig)
    written = read_config(folder / "config.yaml", config)
    return written.model_copy(update={"judge": config.judge, "paths": config.paths})
