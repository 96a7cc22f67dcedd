"""Answers as logs that `inspect view` opens: JSON after the schema of Inspect's eval logs, version 2."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leakage.store.files import digest, write_json
from leakage.studies.answers import AnswerSet

VERSION = 2  # of Inspect's log format
STOPS = {"length": "max_tokens", "refusal": "content_filter"}  # Inspect's names; whatever else ended it is "stop"
SCORER = "judge"


def write_logs(sets: Sequence[AnswerSet], folder: Path) -> None:
    """A log a set of answers, under the names that Inspect gives its own: time, task, id."""
    for one in sets:
        log = as_log(one)
        time = re.sub(r"[:+]", "-", one.created)
        write_json(folder / f"{time}_{one.name}_{log['eval']['task_id']}.json", log)


def as_log(one: AnswerSet) -> dict[str, Any]:
    """An eval log: a sample an answer, its persona or tier in the id, which of the answers to a prompt as the epoch."""
    rows = [{str(name): value for name, value in row.items()} for row in one.frame.to_dict("records")]
    samples = [_sample(one, row) for row in rows]
    scores = [sample["scores"][SCORER]["value"] for sample in samples if sample["scores"]]
    return {
        "version": VERSION,
        "status": "success",
        "eval": _spec(one, samples),
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": [_mean(scores, unscored=len(samples) - len(scores))],
        },
        "stats": {"started_at": one.created, "completed_at": one.created},
        "samples": samples,
    }


def _spec(one: AnswerSet, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ids, epochs = list(dict.fromkeys(sample["id"] for sample in samples)), {sample["epoch"] for sample in samples}
    name = digest([one.name, one.created])[:22]  # as long as Inspect's own
    return {
        "created": one.created,
        "eval_id": name,
        "run_id": name,
        "task": one.name,
        "task_id": name,
        "dataset": {"name": one.name, "samples": len(ids), "sample_ids": ids, "shuffled": False},
        "model": one.model,
        "config": {"epochs": len(epochs)},
        "packages": dict(one.packages),
        "metadata": dict(one.facts),
        "scorers": [{"name": SCORER}],
    }


def _sample(one: AnswerSet, row: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent and said; no score where the judge could not tell."""
    system = [{"role": "system", "content": row["system"]}] if row["system"] else []
    turns = [{"role": role, "content": content} for role, content in json.loads(row["turns"])]
    asked = [*system, *turns, {"role": "user", "content": row["user"]}]
    said = {"role": "assistant", "content": row["completion"], "source": "generate", "model": one.model}
    is_read = row["score"] == row["score"]
    return {
        "id": f"{row[one.condition]}/{row['prompt']}",
        "epoch": int(row["sample"]) + 1,
        "input": asked,
        "target": "",
        "messages": [*asked, said],
        "output": {
            "model": one.model,
            "choices": [{"message": said, "stop_reason": STOPS.get(row["finish"], "stop")}],
            "completion": row["completion"],
        },
        "scores": {SCORER: _score(row)} if is_read else {},
        "metadata": {one.condition: row[one.condition], "prompt": int(row["prompt"])},
    }


def _score(row: Mapping[str, Any]) -> dict[str, Any]:
    value = {"value": float(row["score"]), "answer": row["completion"], "metadata": {"hit": bool(row["hit"])}}
    return value | ({"explanation": row["reason"]} if row["reason"] else {})


def _mean(scores: Sequence[float], *, unscored: int) -> dict[str, Any]:
    metrics = {"mean": {"name": "mean", "value": sum(scores) / len(scores)}} if scores else {}
    counts = {"scored_samples": len(scores), "unscored_samples": unscored}
    return {"name": SCORER, "scorer": SCORER, **counts, "params": {}, "metrics": metrics}
