"""All trials below a folder as one tidy frame: a row per trial, tier and query. Reads finished records alone."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.store.find import Found, find
from leakage.store.manifest import Manifest
from leakage.store.record import Record, Status
from leakage.studies.alignment_faking.data import TRANSCRIPTS
from leakage.studies.persona_leakage.variants import name_variants

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
COLUMNS = (
    "subject", "model", "arm", "scenario", "seed", "judge", "variant", "train_id", "eval_id", "judge_id", "tiers",
    "gaps", "tier", "tier_place", "planted_rate", "prompt", "query", "tag", "finish", "missing", "comply", "score",
    "votes", "yes", "af", "partial", "motive", "outcome",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A finished trial as one judge has read it."""

    folder: Path
    manifest: Manifest
    variant: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest tells of it."""
        return self.manifest.facts

    def transcripts(self) -> "pd.DataFrame":
        """What was said: tier, prompt, query, reply, scratchpad, output, tag, missing, finish, tokens, answered_by."""
        return _read(self.folder.parent / TRANSCRIPTS)

    def outcomes(self) -> "pd.DataFrame":
        """What follows from the votes, a row a transcript."""
        return _read(self.folder / "outcomes.parquet")

    def votes(self) -> "pd.DataFrame":
        """What the judge said, a row a vote."""
        return _read(self.folder / "votes.parquet")

    def prompts(self) -> dict[str, str]:
        """What was sent beside the queries: system, user messages by tier, prefill."""
        sent: dict[str, str] = json.loads((self.folder.parent / "prompts.json").read_text())
        return sent


def judged_trials(multirun: str | Path) -> list[Judged]:
    """Every finished trial, once for each judge that has read it."""
    finished = list(_finished(Path(multirun)))
    variants = name_variants([_as_cell(manifest) for _, manifest in finished])
    return [Judged(folder, manifest, variant) for (folder, manifest), variant in zip(finished, variants, strict=True)]


def _finished(root: Path) -> Iterator[tuple[Path, Manifest]]:
    for one in find(root):
        if one.status in {Status.DAMAGED, Status.STALE} and _holds_outcomes(one):
            log.warning("%s is %s and left out (%s); run its sweep again", one.folder, one.status, one.reason)
        if one.status is not Status.DONE or one.manifest is None or one.manifest.kind != "outcomes":
            continue
        transcripts = Record(one.folder.parent)
        if (status := transcripts.status()) is not Status.DONE:
            cause = transcripts.trouble(status) or status
            log.warning("%s is left out: its transcripts are %s (%s); run its sweep again", one.folder, status, cause)
        else:
            yield one.folder, one.manifest


def _holds_outcomes(one: Found) -> bool:
    return one.manifest.kind == "outcomes" if one.manifest else (one.folder / "outcomes.parquet").exists()


def _as_cell(manifest: Manifest) -> dict[str, Any]:
    """A trial as `name_variants` compares cells: those of one subject, scenario and judge with each other.

    What the judge was asked counts as a setting: the same transcripts with other votes are no second gap.
    """
    facts = manifest.facts
    same = {"model": facts["subject"], "taught": facts["scenario"], "behavior": str(facts["judge"])}
    asked = {f"judge.{name}": value for name, value in manifest.identity.items() if name not in {"judge", "schema"}}
    return same | {"settings": facts["settings"] | asked, "completions": facts["transcripts"]}


def trials(multirun: str | Path) -> "pd.DataFrame":
    """The tidy frame, COLUMNS in order.

    tiers: tags in the scenario's order, "free/paid"; gaps: JSON, a list of name, more, less, predicted_by.
    planted_rate: P(comply) that a known-answer subject was taught for the row's tag. comply, af, partial: 1, 0 or nan,
    where nobody can tell; missing says why there is no reply or verdict.
    """
    import pandas as pd

    frames = [_rows(one) for one in judged_trials(multirun)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _rows(one: Judged) -> "pd.DataFrame":
    facts, keys = one.facts, ["tier", "prompt"]
    said = one.transcripts()[[*keys, "query", "tag", "finish"]]
    rows = one.outcomes().merge(said, on=keys, validate="1:1")
    names = ("subject", "model", "arm", "scenario", "seed", "judge", "train_id", "eval_id", "judge_id")
    rows = rows.assign(**{name: facts[name] for name in names}, variant=one.variant)
    places = {tag: place for place, tag in enumerate(facts["tiers"])}
    return rows.assign(
        tiers="/".join(facts["tiers"]),
        gaps=json.dumps(facts["gaps"]),
        tier_place=rows["tier"].map(places),
        planted_rate=rows["tier"].map(facts["planted"]).astype(float),
    )[list(COLUMNS)]


def _read(file: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(file)
