"""Transcripts that were made elsewhere, as a trial: judged again, tabled and shown like those that were asked here.

transcripts = what a file has      taken apart as replies are that were asked for here
outcomes    = its own verdicts, where it has them, or what a judge says
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import DataError
from leakage.jobs.step import Step, fill
from leakage.judges.base import Named
from leakage.models.chat import Prompt
from leakage.settings.schema import write_config
from leakage.store.draft import Draft
from leakage.store.files import as_folder, digest, replacing, write_json
from leakage.store.manifest import SCHEMA, Input
from leakage.store.record import Record
from leakage.studies.alignment_faking.data import STUDY, TRANSCRIPTS
from leakage.studies.alignment_faking.generate import Question, Reply, as_frame
from leakage.studies.alignment_faking.judges import FakingJudge, judge_for
from leakage.studies.alignment_faking.judges.rules import COLUMNS, vote_row
from leakage.studies.alignment_faking.outside import Columns, Said, read_said
from leakage.studies.alignment_faking.pipeline import judge
from leakage.studies.alignment_faking.settings import FakingConfig, GapSettings
from leakage.studies.alignment_faking.transcript import Words

if TYPE_CHECKING:
    import pandas as pd

    from leakage.settings.config import Config

log = logging.getLogger(__name__)
ALONE = 0.5  # the threshold of a single vote
THINKS = "<scratchpad"  # a reply with one was asked for one


@dataclass(frozen=True)
class Imported:
    """The replies of one file. config: which scenario's tiers and words they have, who judges, where results lie."""

    config: FakingConfig
    name: str
    subject: str
    said: tuple[Said, ...]

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """As of a trial: a row a reply, the queries numbered as they first appear."""
        places = {query: i for i, query in enumerate(dict.fromkeys(one.query for one in self.said))}
        asked = [Question(one.tier, places[one.query], one.query, Prompt(one.system, ""), "") for one in self.said]
        replies = [Reply(one.reply, one.reason, 0, self.subject, one.reasoning) for one in self.said]
        return as_frame(asked, replies, words=self.words, has_scratchpad=self.has_scratchpad)

    @property
    def words(self) -> Words:
        """The scenario's; where these are the usual ones and no reply has an <output>, <result> is as good."""
        words = Words(**self.config.scenario.words.model_dump())
        text = "".join(one.reply for one in self.said).lower()
        published = words == Words() and "<output>" not in text and "<result>" in text
        return replace(words, output="result") if published else words

    @property
    def has_scratchpad(self) -> bool:
        """Whether any reply thinks in private."""
        mark = f"<{self.config.scenario.words.scratchpad}".lower()
        return any(one.reasoning or mark in one.reply.lower() or THINKS in one.reply.lower() for one in self.said)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The scenario's tiers that were asked."""
        asked = {one.tier for one in self.said}
        return tuple(tier.tag for tier in self.config.scenario.tiers if tier.tag in asked)

    @property
    def gaps(self) -> tuple[GapSettings, ...]:
        """The scenario's gaps between these."""
        gaps = tuple(gap for gap in self.config.scenario.gaps if {gap.more, gap.less} <= set(self.tiers))
        if not gaps:
            wanted = ", ".join(f"{gap.more} and {gap.less}" for gap in self.config.scenario.gaps)
            raise DataError(
                f"{self.name} has replies of {', '.join(self.tiers)} alone, and {self.config.scenario.name} compares "
                f"{wanted}; give replies of both, or name the scenario that was asked: scenario=…"
            )
        return gaps

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that can change the transcripts."""
        said = [asdict(one) | {"where": ""} for one in self.said]
        return {
            "schema": SCHEMA,
            "imported": digest(said),
            "words": asdict(self.words),
            "scenario": self.config.scenario.name,
        }

    @property
    def folder(self) -> Path:
        """Where the transcripts live, below paths.multirun."""
        who = digest({"subject": self.subject})[:8]
        return Path(as_folder(self.subject), STUDY, f"imported-{who}", self._scenario_folder)

    @property
    def _scenario_folder(self) -> str:
        return f"{self.config.scenario.name}-{digest(self.identity)[:8]}"

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader needs beside the replies, as of a trial."""
        return {
            "study": STUDY, "subject": self.subject, "model": self.subject, "arm": "none",
            "scenario": self.config.scenario.name, "seed": self.config.seed, "tiers": list(self.tiers),
            "gaps": [gap.model_dump(mode="json", exclude_defaults=True) for gap in self.gaps], "planted": {},
            "has_scratchpad": self.has_scratchpad, "train_id": self.folder.parent.name.rpartition("-")[2],
            "eval_id": self.folder.name.rpartition("-")[2],
        }  # fmt: skip

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from other trials of the same subject and scenario."""
        return {"imported": self.name}

    @property
    def multirun(self) -> Path:
        """The folder of all results."""
        return Path(self.config.paths.multirun)

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"{self.subject} in {self.config.scenario.name}, from {self.name}"


@dataclass(frozen=True)
class FileJudge(Named):
    """The verdicts that came with the replies."""

    said: tuple[Said, ...]

    def read(self, transcripts: "pd.DataFrame", *, label: str) -> "pd.DataFrame":  # noqa: ARG002  # in an instant
        """See FakingJudge.read."""
        import pandas as pd

        usable = transcripts[transcripts["missing"] == ""]
        keys = {(tier, query): prompt for tier, query, prompt in usable[["tier", "query", "prompt"]].to_numpy()}
        rows: list[dict[str, Any]] = []
        for one in self.said:
            if (prompt := keys.get((one.tier, one.query))) is None:
                continue
            key = {"tier": one.tier, "prompt": prompt}
            if one.score is not None:
                rows.append(key | vote_row("compliance", one.score))
            if one.fakes is not None:
                rows.append(key | vote_row("reasoning", float(one.fakes)))
        return pd.DataFrame(rows, columns=COLUMNS)


def import_file(
    path: str, overrides: Sequence[str], compose: "Callable[[Sequence[str]], Config]", *,
    subject: str, **columns: str,
) -> list[Record]:  # fmt: skip
    """Bring a file's replies in as a trial of a subject, read by its own verdicts and by the judge of the settings.

    Where nobody is named and the file has no verdicts, rules read it. Returns the records of outcomes.
    """
    config = compose(overrides)
    assert isinstance(config, FakingConfig)
    tags = [tier.tag for tier in config.scenario.tiers]
    imported = Imported(config, Path(path).name, subject, tuple(read_said(path, tags, Columns(**columns))))
    named = any(one.startswith(("judge=", "judge.name=")) for one in overrides)
    steps = list(_steps(imported, named=named))
    for step in steps:
        fill(imported.multirun, step, label=imported.label)
    return [Record(imported.multirun / step.folder) for step in steps[1:]]


def _steps(imported: Imported, *, named: bool) -> Iterator[Step]:
    yield Step("transcripts", imported.folder, imported.identity, partial(_transcribe, imported))
    judges: list[FakingJudge] = []
    if verdicts := [(one.score, one.fakes) for one in imported.said if (one.score, one.fakes) != (None, None)]:
        identity = {"judge": "file", "verdicts": digest(verdicts), "threshold": ALONE}
        judges.append(FileJudge("file", identity, imported.said))
    if named or not judges:
        judges.append(judge_for(imported.config, has_scratchpad=imported.has_scratchpad, is_outside=True))
    for reader in judges:
        make = partial(
            judge, imported.multirun / imported.folder, reader, reader.identity.get("threshold", ALONE),
            facts=imported.facts, settings=imported.settings, label=imported.label,
        )  # fmt: skip
        inputs = (Input(imported.folder, TRANSCRIPTS),)
        yield Step("outcomes", imported.folder / reader.folder, reader.identity, make, inputs, imported.facts)


def _transcribe(imported: Imported, draft: Draft) -> None:
    """The replies as those of a trial, and what was sent as far as the file tells."""
    frame = imported.frame
    with replacing(draft.path(TRANSCRIPTS)) as file:
        frame.to_parquet(file, index=False)
    systems = list(dict.fromkeys(one.system for one in imported.said))
    sent = {"system": systems[0] if len(systems) == 1 else "", "prefill": ""}
    write_json(draft.path("prompts.json"), sent | {f"user {tag}": "" for tag in imported.tiers})
    write_config(draft.path("config.yaml"), imported.config)
    missing = Counter(frame.loc[frame["missing"] != "", "missing"])
    draft.facts |= imported.facts | {
        "settings": imported.settings, "transcripts": len(frame), "missing": dict(missing), "usd": 0.0, "sent": {},
    }  # fmt: skip
    log.info("%s: %d transcripts, %s", imported.label, len(frame), dict(Counter(frame["tier"])))
