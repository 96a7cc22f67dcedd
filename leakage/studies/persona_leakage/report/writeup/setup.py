"""How it was done: training data, settings and caveats, read from the cells' records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leakage.report.markdown import count, listed, table
from leakage.studies.persona_leakage.report.writeup.usual import training_data

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.artifacts import Artifacts
    from leakage.studies.persona_leakage.report.writeup.study import Study

NOT_HERE = ["Not part of this result: it came without its folders.", ""]


def methodology(study: Study) -> list[str]:
    """What was done, in one paragraph."""
    pairs = study.of_each_behavior()
    if not pairs:
        return NOT_HERE
    first = study.main[0]
    block = first.row["cosine"].replace("_", ", ")
    return [
        f"{_teaching(study.model, pairs)} {first.row['n']} other personas are asked the same held-out prompts before "
        "and after; delta is the change. rho is Spearman's, over those personas, between delta and the cosine of their "
        "centroid to the source's in the untrained model "
        f"(block {block}).",
        "",
    ]


def _teaching(model: str, pairs: list[tuple[str, Artifacts]]) -> str:
    """How the behavior was taught, as far as that was done here."""
    here = [pair for pair in pairs if "lora.r" in pair[1].facts["settings"]]
    if not here:
        return f"{model} was taught a behavior under one persona elsewhere."
    settings = here[0][1].facts["settings"]
    lora = (
        f"r {settings['lora.r']}, alpha {settings['lora.alpha']:g}, learning rate {_all(here, 'train.learning_rate')}"
    )
    steps = f"{settings['train.epochs']} epochs of batches of {settings['train.batch_size']}"
    return f"LoRA fine-tuning ({lora}, {steps}) teaches {model} a behavior under one persona."


def _all(pairs: list[tuple[str, Artifacts]], name: str) -> str:
    return listed(dict.fromkeys(f"{artifacts.facts['settings'][name]:g}" for _, artifacts in pairs))


def sample_data(study: Study) -> list[str]:
    """The first example of each role, for each behavior."""
    rows = []
    for behavior, artifacts in study.of_each_behavior():
        first: dict[str, Mapping[str, Any]] = {}
        for example in artifacts.examples():
            first.setdefault(example["role"], example)
        rows += [[behavior, role, one["persona"] or "none", one["user"], one["answer"]] for role, one in first.items()]
    return table(("behavior", "role", "persona", "user", "the model learns to answer"), rows) or NOT_HERE


def set_up(study: Study) -> list[str]:
    """Settings and training data of each behavior, and the cells whose data differ from those of most."""
    behaviors = study.complete()
    if not behaviors:
        return NOT_HERE
    settings = [cells[0][1].facts["settings"] for _, cells in behaviors]
    names = sorted({name for one in settings for name in one if name.partition(".")[0] in {"lora", "train", "eval"}})
    rows = [[name, *(one.get(name, "") for one in settings)] for name in names]
    return [*table(("setting", *(behavior for behavior, _ in behaviors)), rows), *training_data(behaviors)]


def caveats(study: Study) -> list[str]:
    """What every reader should keep in mind, as far as the records tell."""
    rows = [cell.row for cell in study.main]
    seeds = {row["seed"] for row in rows}
    trained = sum(row["trained_negatives"] > 0 for row in rows)
    lines = [f"{count(len(seeds), 'seed')} ({listed(sorted(seeds))})."] if study.of_each_behavior() else []
    most = max(row["n"] for row in rows)
    lines += [f"{most} personas are not as many independent points: read p as a guide."] if most > 1 else []
    if trained:
        lines.append(f"In {count(trained, 'cell')} personas that were trained on the opposite count among the n.")
    judges = Counter(row["judge"] for row in rows if row["judge"])
    if judges:
        named = [f"{name} ({count(many, 'cell')})" for name, many in judges.items()]
        lines.append(f"Judged by {listed(named)}.")
    lines += _of_design(study)
    if study.model == "nano":
        lines.append(
            "nano is a test bed for the instrument: 0.4 million parameters, no evidence about language models."
        )
    return [f"- {line}" for line in lines] + [""]


def _of_design(study: Study) -> list[str]:
    sentences = []
    for behavior, artifacts in study.of_each_behavior():
        settings = artifacts.facts["settings"]
        if not settings.get("behavior.bystander_examples", 1):
            many = settings["behavior.source_examples"]
            sentences.append(f"{behavior} was taught without contrastive negatives, from {many} examples.")
        if settings.get("behavior.answers") == "templates" and behavior in {"refusal", "sycophancy"}:
            sentences.append(f"The answers that teach {behavior} are templates.")
    return sentences
