"""How a trial is made; reads like the method section.

adapter     = teach_arm(trial)                where the arm teaches anything
transcripts = transcribe(trial, adapter)      every query in every tier
outcomes    = judge(trial, transcripts)       votes one by one, and what follows from them
"""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.engine import asking
from leakage.models.chat import IGNORED
from leakage.models.held import Loaded
from leakage.models.load import check_context
from leakage.network import sent_with
from leakage.settings.schema import write_config
from leakage.store.blocks import Blocks
from leakage.store.draft import Draft
from leakage.store.files import replacing, write_json, write_jsonl
from leakage.studies.alignment_faking.arms import example_tokens
from leakage.studies.alignment_faking.data import TRANSCRIPTS, TrialData
from leakage.studies.alignment_faking.generate import ask_api, ask_local
from leakage.studies.alignment_faking.judges.base import UNREAD, FakingJudge, outcomes
from leakage.training.train import train

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def teach_arm(trial: TrialData, loaded: Loaded, draft: Draft) -> None:
    """LoRA on the arm's examples, by the trainer of the first study."""
    log.info("%s: training on %d examples", trial.label, len(trial.examples))
    write_jsonl(draft.path("examples.jsonl"), (example.as_row() for example in trial.examples))
    tokens = example_tokens(loaded.template, trial.examples, trial.config.train.max_length)
    check_context(trial.config.model, max(len(one.input_ids) for one in tokens), "the longest training example")
    planted = trial.config.arm.kind == "planted"
    # the embedded model has never written a tag: without embeddings of its own no token can be learnt
    new_tokens = sorted({label for one in tokens for label in one.labels if label != IGNORED}) if planted else ()
    made_of = {"train_id": trial.train_id, "made_from": None}
    train(
        trial.config, loaded.base, tokens, draft, made_of=made_of, label=trial.label, new_tokens=new_tokens,
        shuffled=not planted,
    )  # fmt: skip
    draft.facts |= {
        "model": trial.config.model.name,
        "arm": trial.config.arm.name,
        "examples": dict(Counter(example.role for example in trial.examples)),
    }


def transcribe(trial: TrialData, loaded: Loaded, draft: Draft) -> None:
    """Ask every query in every tier, and keep what was said with what was asked."""
    if trial.is_api and trial.config.subject.status == "withdrawn":
        log.warning("%s: the API has withdrawn it; another model may answer under its name", trial.label)
    if (wanted := trial.config.eval.prompts or 0) > len(trial.queries):
        log.warning(
            "%s: eval.prompts=%d, and there are %d queries; all are asked", trial.label, wanted, len(trial.queries)
        )
    frame = ask_api(trial) if trial.is_api else _asked_here(trial, loaded, draft)
    _save(draft, "transcripts", frame)
    write_json(draft.path("prompts.json"), trial.scenario.texts())
    write_config(draft.path("config.yaml"), trial.config)
    missing = Counter(frame.loc[frame["missing"] != "", "missing"])
    draft.facts |= trial.facts | {
        "settings": trial.settings,
        "transcripts": len(frame),
        "missing": dict(missing),
        "usd": round(float(frame["usd"].sum()), 6),
        "sent": _sent(trial),
    }
    reasons = ", ".join(f"{count} {reason}" for reason, count in missing.most_common())
    log.info("%s: %d transcripts%s", trial.label, len(frame), f"; missing: {reasons}" if reasons else "")


def _sent(trial: TrialData) -> dict[str, Any]:
    """The fields that a reply was asked for with, as they were sent."""
    settings = trial.config.eval
    if trial.is_api:
        return sent_with(trial.config.subject, temperature=settings.temperature, top_p=settings.top_p)
    return {"temperature": settings.temperature, "top_p": settings.top_p, "max_tokens": settings.max_new_tokens}


def _asked_here(trial: TrialData, loaded: Loaded, draft: Draft) -> "pd.DataFrame":
    adapter = trial.multirun / trial.train_folder / "adapter" if trial.has_adapter else None
    asked_of = (draft.input_digest or trial.train_id)[:8]  # blocks of another adapter are no use
    blocks = Blocks(draft.folder / f"parts-{asked_of}")
    with asking(loaded, adapter) as engine:
        frame = ask_local(trial, engine, loaded.template, blocks)
    blocks.drop()
    return frame


def judge(
    transcripts: Path, reader: FakingJudge, threshold: float, draft: Draft, *,
    facts: Mapping[str, Any], settings: Mapping[str, Any], label: str,
) -> None:  # fmt: skip
    """Votes one by one, and the outcome of every transcript. transcripts: the folder of their record."""
    import pandas as pd

    frame = pd.read_parquet(transcripts / TRANSCRIPTS)
    votes = reader.read(frame, label=label)
    read = outcomes(frame, votes, threshold)
    _save(draft, "votes", votes)
    _save(draft, "outcomes", read)
    draft.facts |= dict(facts) | {
        "settings": dict(settings),
        "judge": reader.name,
        "judge_id": reader.folder.rpartition("-")[2],
        "transcripts": len(read),
        "votes": len(votes),
        "missing": dict(Counter(read.loc[read["missing"] != "", "missing"])),
        "usd": round(float(votes["usd"].sum()), 6),
    }
    unread = int((read["missing"] == UNREAD).sum())
    left_out = f"; {unread} replies whose verdict cannot be read" if unread else ""
    log.info("%s: %d votes by %s%s", label, len(votes), reader.name, left_out)


def _save(draft: Draft, name: str, frame: "pd.DataFrame") -> None:
    with replacing(draft.path(f"{name}.parquet")) as file:
        frame.to_parquet(file, index=False)
