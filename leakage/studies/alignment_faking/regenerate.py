"""A sampled share of a trial's replies, asked anew where the subject is a model that runs here."""

from pathlib import Path
from typing import TYPE_CHECKING

from leakage.engine import asking
from leakage.errors import LeakageError
from leakage.models.held import Loaded
from leakage.store.artifact import Part
from leakage.studies.alignment_faking.data import TRANSCRIPTS
from leakage.studies.alignment_faking.generate import ask_some, questions
from leakage.studies.alignment_faking.judges.base import KEYS
from leakage.studies.alignment_faking.settings import FakingConfig
from leakage.studies.alignment_faking.trial import Trial
from leakage.studies.anew import MODEL, compared, not_asked, not_comparable, other_here, settings_here
from leakage.studies.checking import Again, Sample
from leakage.training.train import WEIGHTS

if TYPE_CHECKING:
    from leakage.studies.study import Compose

SAID = ("reply", "finish")
MADE_FOR = {"model": MODEL, "lessons": "what the arm teaches", "scenario": "the scenario", "queries": "the queries"}
ELSEWHERE = "that the subject gave them is not shown"


def regenerate(part: Part, multirun: Path, sample: Sample, compose: "Compose") -> Again:
    """Ask a share of a record of transcripts anew; what a model behind an API said cannot be had again."""
    if part.manifest.kind != "transcripts":
        return Again()
    where = part.folder.relative_to(multirun.parent).as_posix()
    if "imported" in part.manifest.identity:
        return not_asked(where, "its replies were made elsewhere", ELSEWHERE)
    try:
        config = settings_here(part, multirun, sample, compose)
        assert isinstance(config, FakingConfig)
        trial = Trial(config)
        data = trial.data
        if data.is_api:
            return not_asked(where, "a model behind an API is not asked anew", ELSEWHERE)
        if other := other_here(part, data.eval_identity, data.train_identity, data.train_id, MADE_FOR):
            return not_comparable(where, other)
        return _asked(trial, part, sample, where)
    except (LeakageError, OSError, ValueError) as error:  # a file of the settings is not here, or a model
        return not_asked(where, f"it cannot be asked again here ({error})")


def _asked(trial: Trial, part: Part, sample: Sample, where: str) -> Again:
    import pandas as pd

    data = trial.data
    weights = part.folder.parent / WEIGHTS if data.has_adapter else None
    if weights and not weights.is_file():
        return not_asked(where, "its adapter is not in the bundle", "only the base model can be asked again")
    loaded = Loaded(trial.config, trial.label, trial.probes)
    asked = sample.of(questions(data), data.transcripts_folder.as_posix())
    with asking(loaded, weights.parent if weights else None) as engine:
        now = ask_some(data, engine, loaded.template, asked)
    return compared(pd.read_parquet(part.folder / TRANSCRIPTS), now, f"{where}/{TRANSCRIPTS}", KEYS, SAID)
