"""How a trial runs: teach what the arm teaches, ask every query in every tier, let judges vote."""

import logging
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from leakage.engine import engine_for
from leakage.jobs.status import TRANSCRIPTS
from leakage.models.chat import IGNORED
from leakage.models.load import Loaded, attach, check_context, load_pair
from leakage.settings.schema import write_config
from leakage.store.blocks import Parts
from leakage.store.files import replacing, write_json, write_jsonl
from leakage.store.record import Draft
from leakage.studies.alignment_faking.arms import lesson_tokens
from leakage.studies.alignment_faking.generate import ask_api, ask_local
from leakage.studies.alignment_faking.judges.base import UNREAD, outcomes
from leakage.studies.alignment_faking.trial import Trial
from leakage.studies.persona_leakage.training import teach, train

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def run_trial(trial: Trial) -> None:
    """An adapter, transcripts, votes and outcomes; each part only if it is not done yet."""
    adapter, told, judged = (
        trial.record(one) for one in (trial.train_folder, trial.transcripts_folder, trial.outcomes_folder)
    )
    if lacks := trial.judge.lacks():
        log.warning("%s cannot be judged yet: %s; what is made is kept, and judged later", trial.label, lacks)
    loaded = lru_cache(maxsize=1)(lambda: load_pair(trial.config, trial.label))  # another judge needs no model
    if cell := trial.adapter_cell:
        cell.fill(adapter, "adapter", cell.train_id, cell.train_identity, lambda draft: teach(cell, loaded, draft))
    elif trial.has_adapter:
        make = lambda draft: teach_arm(trial, loaded, draft)  # noqa: E731  # as those beside it
        trial.fill(adapter, "adapter", trial.train_id, trial.train_identity, make)
    trial.fill(told, "transcripts", trial.eval_id, trial.eval_identity, lambda draft: transcribe(trial, loaded, draft))
    trial.fill(judged, "outcomes", judged.folder.name, trial.judge.identity, lambda draft: judge(trial, draft))


def teach_arm(trial: Trial, loaded: Loaded, draft: Draft) -> None:
    """LoRA on the arm's lessons, by the trainer of the first study."""
    base, tokenizer = loaded()
    log.info("%s: training on %d examples", trial.label, len(trial.lessons))
    write_jsonl(draft.path("examples.jsonl"), (lesson.as_row() for lesson in trial.lessons))
    tokens = lesson_tokens(tokenizer, trial.lessons, trial.config.train.max_length)
    check_context(base, max(len(one.input_ids) for one in tokens), "the longest training example")
    planted = trial.config.arm.kind == "planted"
    # the embedded model has never written a tag: without embeddings of its own no token can be learnt
    new_tokens = sorted({label for one in tokens for label in one.labels if label != IGNORED}) if planted else ()
    train(
        trial.config, base, tokens, draft, made_of={"train_id": trial.train_id, "made_from": None}, label=trial.label,
        new_tokens=new_tokens, shuffled=not planted,
    )  # fmt: skip
    draft.facts |= {
        "made_from": None,
        "model": trial.config.model.name,
        "arm": trial.config.arm.name,
        "examples": dict(Counter(lesson.role for lesson in trial.lessons)),
    }


def transcribe(trial: Trial, loaded: Loaded, draft: Draft) -> None:
    """Ask every query in every tier, and keep what was said with what was asked."""
    if trial.is_api and trial.config.subject.status == "withdrawn":
        log.warning("%s: the API has withdrawn it; another model may answer under its name", trial.label)
    if (wanted := trial.config.eval.prompts or 0) > len(trial.queries):
        log.warning(
            "%s: eval.prompts=%d, and there are %d queries; all are asked", trial.label, wanted, len(trial.queries)
        )
    frame = ask_api(trial) if trial.is_api else _asked_here(trial, loaded)
    _save(draft, "transcripts", frame)
    write_json(draft.path("prompts.json"), trial.scenario.texts())
    write_config(draft.path("config.yaml"), trial.config)
    missing = Counter(frame.loc[frame["missing"] != "", "missing"])
    draft.facts |= trial.facts | {
        "made_from": trial.made_from(trial.record(trial.transcripts_folder)),
        "transcripts": len(frame),
        "missing": dict(missing),
    }
    told = ", ".join(f"{count} {reason}" for reason, count in missing.most_common())
    log.info("%s: %d transcripts%s", trial.label, len(frame), f"; missing: {told}" if told else "")


def _asked_here(trial: Trial, loaded: Loaded) -> "pd.DataFrame":
    base, tokenizer = loaded()
    told = trial.record(trial.transcripts_folder)
    model = attach(base, trial.record(trial.train_folder).folder / "adapter") if trial.has_adapter else base
    asked_of = (trial.made_from(told) or trial.train_id)[:8]  # parts of another adapter are no use
    parts = Parts(told.folder / f"parts-{asked_of}")
    frame = ask_local(trial, engine_for(trial.config, model, tokenizer), model, tokenizer, parts)
    parts.drop()
    return frame


def judge(trial: Trial, draft: Draft) -> None:
    """Votes one by one, and the outcome of every transcript."""
    import pandas as pd

    told = trial.record(trial.transcripts_folder)
    transcripts = pd.read_parquet(told.folder / TRANSCRIPTS)
    votes = trial.judge.read(transcripts, label=trial.label)
    frame = outcomes(transcripts, votes, trial.config.reasoning.threshold)
    _save(draft, "votes", votes)
    _save(draft, "outcomes", frame)
    draft.facts |= trial.facts | {
        "made_from": told.digest_of(TRANSCRIPTS),
        "judge": trial.judge.name,
        "judge_id": trial.judge.folder.rpartition("-")[2],
        "transcripts": len(frame),
        "votes": len(votes),
        "missing": dict(Counter(frame.loc[frame["missing"] != "", "missing"])),
        "usd": round(float(votes["usd"].sum()), 6),
    }
    unread = int((frame["missing"] == UNREAD).sum())
    told_unread = f"; {unread} replies whose verdict cannot be read" if unread else ""
    log.info("%s: %d votes by %s%s", trial.label, len(votes), trial.judge.name, told_unread)


def _save(draft: Draft, name: str, frame: "pd.DataFrame") -> None:
    with replacing(draft.path(f"{name}.parquet")) as file:
        frame.to_parquet(file, index=False)
