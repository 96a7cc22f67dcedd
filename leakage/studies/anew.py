"""Some of a record's answers asked anew, whatever the study: its settings on this machine, whether all they came of is
what it was, and what is said otherwise."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from leakage.settings.schema import read_config
from leakage.store.files import canonical
from leakage.store.record import Record
from leakage.studies.checking import Again, Remark, first_difference, unchecked

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from leakage.settings.config import Config
    from leakage.store.artifact import Part
    from leakage.studies.checking import Sample
    from leakage.studies.study import Compose

    Identity = Mapping[str, Any]

MODEL = "the base model, its tokenizer or its chat template"


def settings_here(part: "Part", multirun: "Path", sample: "Sample", compose: "Compose") -> "Config":
    """The settings that a record was made with, on this machine."""
    usual = _usual(compose)
    written = read_config(part.folder / "config.yaml", usual)
    model = written.model.model_copy(update={"path": sample.model} if sample.model else {})
    paths = written.paths.model_copy(update={"multirun": str(multirun)})
    return written.model_copy(update={"model": model, "paths": paths, "device": usual.device})


@lru_cache(maxsize=4)
def _usual(compose: "Compose") -> "Config":
    return compose(())


def other_here(
    part: "Part", evaluation: "Identity", adapter: "Identity", train_id: str, names: Mapping[str, str]
) -> str:
    """The first thing that identifies answers, or the adapter they are of, and is another on this machine; or "".

    evaluation, adapter: their identities here; names: in words, where a field's name is none
    """
    there = Record(part.folder.parent).manifest
    pairs = [(evaluation, part.manifest.identity), *([(adapter, there.identity)] if there else [])]
    for here, written in pairs:
        for name in sorted({*here, *written}):
            if canonical(here.get(name)) != canonical(written.get(name)):
                return names.get(name, f"the setting {name}")
    return "" if train_id == part.manifest.facts["train_id"] else MODEL


def not_comparable(where: str, what: str) -> Again:
    """What comes of a thing that is another one here."""
    means = "answers cannot be compared; name the right one (--model FOLDER), or one of the two was changed"
    return Again(0, (Remark(where, f"{what} here and in its manifest are not the same", means),))


def not_asked(where: str, why: str, means: str = "what the model says now is not known") -> Again:
    """What comes of a record that nobody can ask about here."""
    return Again(0, (unchecked(where, why, means),))


def compared(there: "pd.DataFrame", now: "pd.DataFrame", where: str, keys: Sequence[str], said: Sequence[str]) -> Again:
    """What comes of answers that were had again. now: some of the rows; said: columns that must be the same"""
    same = now[list(keys)].merge(there, on=list(keys), how="left", validate="1:1")
    wrong = first_difference(same, now, keys, [name for name in said if name in now])
    means = "the answers, or the adapter, are not what they are said to be, or this machine rounds in another way"
    return Again(
        len(now), (Remark(where, f"asked anew the model says something else: {wrong}", means),) if wrong else ()
    )
