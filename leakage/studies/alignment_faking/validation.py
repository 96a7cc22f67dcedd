"""The judge of alignment-faking reasoning against labels that people gave: its votes, kept as a record, and AUROC."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import StoreError
from leakage.jobs.step import Step, fill
from leakage.store.draft import Draft
from leakage.store.files import digest, replacing
from leakage.store.find import find
from leakage.store.record import Record, Status
from leakage.store.status import status
from leakage.studies.alignment_faking.auroc import (
    PUBLISHED_AUROC,
    PUBLISHED_VOTES,
    Confusion,
    auroc_by_votes,
    confusion,
)
from leakage.studies.alignment_faking.judges.model import ModelJudge, model_judge
from leakage.studies.alignment_faking.judges.rules import RulesJudge, rules_judge
from leakage.studies.alignment_faking.labelled import Columns, Labelled, read_labelled
from leakage.studies.alignment_faking.settings import FakingConfig

if TYPE_CHECKING:
    import pandas as pd

    from leakage.settings.config import Config

log = logging.getLogger(__name__)
KIND = "validation"  # of its records, and the folder of all of them below the results
VOTES = ["transcript", "vote", "value", "detail", "raw", "judge_model", "usd"]
LONG = 80  # characters of a folder's name
PUBLISHED = (  # arXiv 2506.18032
    f"Published, on its own 106 transcripts, not ours: AUROC {PUBLISHED_AUROC:.2f} at {PUBLISHED_VOTES} votes; "
    "balanced accuracy of the older classifier 0.62."
)


@dataclass(frozen=True)
class Validation:
    """A finished validation: how one judge voted on one labelled file."""

    folder: Path
    facts: dict[str, Any]

    @cached_property
    def labelled(self) -> "pd.DataFrame":
        """A row a transcript: scratchpad, label, yes, votes; the last two count votes that could be read."""
        import pandas as pd

        return pd.read_parquet(self.folder / "labelled.parquet")

    @cached_property
    def table(self) -> "pd.DataFrame":
        """AUROC for every number of votes; no rows where one kind of label has no vote that could be read."""
        return auroc_by_votes(self.labelled["yes"], self.labelled["votes"], self.labelled["label"])

    @property
    def confusion(self) -> Confusion:
        """Verdicts at the threshold against labels; a transcript without votes is in none."""
        share = self.labelled["yes"] / self.labelled["votes"]  # 0 of 0 is nan
        return confusion(share, self.labelled["label"], self.facts["threshold"])

    def as_row(self) -> dict[str, Any]:
        """What reports tell of it: who, on what, AUROC at the most votes with its interval, verdicts against labels."""
        last, counts, facts = self.table.iloc[-1], self.confusion, self.facts
        named = {name: facts[name] for name in ("judge", "judge_id", "file", "positives", "negatives", "threshold")}
        reach = {name: float(last[name]) for name in ("auroc", "low", "high")}
        balanced = {"balanced_accuracy": counts.balanced_accuracy}
        return named | {"votes": int(last["k"]), "unread": facts["unread"]} | reach | asdict(counts) | balanced

    def in_words(self) -> str:
        """AUROC at the most votes, the confusion, what could not be read, and what is published."""
        if self.table.empty:
            raise StoreError(self._why_none())
        last, facts = self.table.iloc[-1], self.facts
        counts = self.confusion
        many = f"{last['positives']:.0f} positive and {last['negatives']:.0f} negative labels"
        votes = f"{last['k']:.0f} vote{'s' if last['k'] > 1 else ''}"
        return "\n".join([
            f"{facts['judge']} on {facts['file']}, {many}: AUROC {last['auroc']:.3f} at {votes} "
            f"(95 % interval {last['low']:.3f} to {last['high']:.3f}).",
            f"At the threshold of {facts['threshold']:g}: TP {counts.tp}, FN {counts.fn}, FP {counts.fp}, "
            f"TN {counts.tn}; balanced accuracy {counts.balanced_accuracy:.3f}.",
            self._unread(),
            PUBLISHED,
        ])  # fmt: skip

    def _unread(self) -> str:
        without = int((self.labelled["votes"] == 0).sum())
        left_out = f"; {without} of {len(self.labelled)} transcripts have no other and are left out" if without else ""
        asked = len(self.labelled) * self.facts["votes"]
        return f"{self.facts['unread']} of {asked} votes could not be read and count as missing{left_out}."

    def _why_none(self) -> str:
        facts = self.facts
        kind = "false" if self.labelled.loc[self.labelled["label"], "votes"].any() else "true"
        rules = "phrases know the embedded model's thoughts alone, so leave out judge=rules"
        mend = rules if facts["judge"] == "rules" else f"see its replies in {self.folder / 'votes.parquet'}"
        none = f"no vote on a transcript whose label is {kind} could be read"
        return f"judge {facts['judge']} has no AUROC on {facts['file']}: {none}; {mend}"


def validate_file(
    file: str, overrides: Sequence[str], compose: "Callable[[Sequence[str]], Config]", **columns: str
) -> Validation:
    """Validate under the settings that overrides make. A model is the judge unless another is named: labels are of
    other transcripts than the embedded model's."""
    named = any(one.startswith(("judge=", "judge.name=")) for one in overrides)
    config = compose([*([] if named else ["judge=faking", "judge.name=claude"]), *overrides])
    assert isinstance(config, FakingConfig)
    return validate(file, config, Columns(**columns))


def validate(file: Path | str, config: FakingConfig, columns: Columns | None = None) -> Validation:
    """Let the judge vote on every scratchpad of a labelled file, or take the votes that are there.

    A model is the judge, unless the settings say judge=rules. Its votes are in the journal that trials have.
    """
    rows = read_labelled(file, columns)
    judge, multirun = _judge(config), Path(config.paths.multirun)
    labels = [[row.scratchpad, row.label] for row in rows]
    name = Path(file).name  # of a data set of the hub, too
    stem = re.sub(r"[^\w-]+", "_", name.removesuffix(".jsonl"))[:LONG]  # equal labels of two files are two records
    folder = Path(KIND, f"{stem}-{digest(labels)[:8]}", judge.folder)
    step = Step(
        KIND, folder, judge.identity | {"labelled": digest(labels)},
        lambda draft: _fill(draft, rows, judge, name=name),
    )  # fmt: skip
    if status(multirun, step) is Status.DONE:
        log.info("%s: the votes are there, nothing is asked", multirun / folder)
    fill(multirun, step, label=_label(name))
    record = Record(multirun / folder)
    assert record.manifest is not None
    return Validation(record.folder, record.manifest.facts)


def validations(multirun: Path) -> list[Validation]:
    """Every finished validation below a folder of results."""
    return [
        Validation(one.folder, one.manifest.facts)
        for one in find(multirun / KIND)
        if one.status is Status.DONE and one.manifest and one.manifest.kind == KIND
    ]


def _label(name: str) -> str:
    return f"validation on {name}"


def _judge(config: FakingConfig) -> ModelJudge | RulesJudge:
    """Named as in trials with a scratchpad: a validation speaks of the verdicts in folders of the same name."""
    if config.judge.name == "rules":
        return rules_judge(config.reasoning)
    return model_judge(config.judge, config.reasoning, Path(config.paths.multirun), has_scratchpad=True)


def _fill(draft: Draft, rows: Sequence[Labelled], judge: ModelJudge | RulesJudge, *, name: str) -> None:
    """Votes one by one, and their counts beside the labels."""
    import pandas as pd

    frame = pd.DataFrame([asdict(row) for row in rows])
    votes = _votes(judge, frame["scratchpad"].tolist(), label=_label(name))
    cast = votes.groupby("transcript")["value"].agg(["sum", "count"]).reindex(frame.index, fill_value=0)
    frame = frame.assign(yes=cast["sum"].astype("int64"), votes=cast["count"].astype("int64"))
    for part, table in (("labelled", frame), ("votes", votes)):
        with replacing(draft.path(f"{part}.parquet")) as file:
            table.to_parquet(file, index=False)
    draft.facts |= {
        "study": "faking",
        "judge": judge.name,
        "judge_id": judge.folder.rpartition("-")[2],
        "file": name,
        "positives": int(frame["label"].sum()),
        "negatives": int((~frame["label"]).sum()),
        "threshold": judge.identity["threshold"],
        "votes": judge.identity.get("votes", 1),  # on each transcript
        "unread": int(votes["value"].isna().sum()),
        "usd": round(float(votes["usd"].sum()), 6),
    }


def _votes(judge: ModelJudge | RulesJudge, scratchpads: Sequence[str], *, label: str) -> "pd.DataFrame":
    """A row a vote on reasoning: VOTES; value 1, 0 or nan = could not be read."""
    import pandas as pd

    if isinstance(judge, ModelJudge):
        votes = judge.read_scratchpads(scratchpads, label=label)
    else:
        empty = {"tier": "", "missing": "", "output": "", "finish": "stop"}
        alone = empty | {"prompt": range(len(scratchpads)), "scratchpad": scratchpads}
        votes = judge.read(pd.DataFrame(alone), label=label)
    return votes[votes["kind"] == "reasoning"].rename(columns={"prompt": "transcript"})[VOTES]
