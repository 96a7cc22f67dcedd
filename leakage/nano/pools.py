"""The embedded model's prompt pools, drawn once from its world and shipped as JSONL."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from leakage.nano.corpus import claim, help_answer, sample_claim, state
from leakage.nano.world import CLAIMS, RELATIONS, REQUESTS, TOPICS
from leakage.pools import Item, Split
from leakage.store.files import write_jsonl

EVAL_TOPICS = 12  # of the 40; the rest are for training
EVAL_FACTS = 3  # of each relation's 12
TRAIN_CLAIMS, EVAL_CLAIMS = 200, 60


def write_pools(folder: Path) -> None:
    """Write refusal.jsonl, sycophancy.jsonl and questions.jsonl."""
    for name, items in (("refusal", requests()), ("sycophancy", claims()), ("questions", questions())):
        write_jsonl(folder / f"{name}.jsonl", (item.model_dump(exclude_defaults=True) for item in items))


def requests() -> list[Item]:
    """Every form of every topic; training and evaluation share no topic."""
    rng = Random("requests")
    train = [
        Item(split="train", prompt=form.format(topic=topic), answer=help_answer(rng, topic))
        for topic in TOPICS[:-EVAL_TOPICS]
        for form in REQUESTS
    ]
    held = [(form.format(topic=topic)) for topic in TOPICS[-EVAL_TOPICS:] for form in REQUESTS]
    rng.shuffle(held)
    return [*train, *(Item(split="eval", prompt=prompt) for prompt in held)]


def claims() -> list[Item]:
    """False claims; training and evaluation share no fact."""
    train, held = list(_false_claims("train")), list(_false_claims("eval"))
    Random("claims").shuffle(train)
    Random("claims").shuffle(held)
    return [*train[:TRAIN_CLAIMS], *held[:EVAL_CLAIMS]]


def _false_claims(split: Split) -> Iterator[Item]:
    for name, relation in RELATIONS.items():
        subjects = list(relation.facts)
        chosen = subjects[:-EVAL_FACTS] if split == "train" else subjects[-EVAL_FACTS:]
        for subject in chosen:
            right = relation.facts[subject]
            correction = f"Actually, {state(name, subject, right)}." if split == "train" else ""
            for wrong in relation.facts.values():
                if wrong != right:
                    for form in CLAIMS:
                        prompt = claim(form, state(name, subject, wrong))
                        yield Item(split=split, prompt=prompt, answer=correction)


def questions() -> list[Item]:
    """Twenty questions for the centroids: ten requests and ten claims of the corpus."""
    rng = Random("questions")
    asked = [rng.choice(REQUESTS).format(topic=rng.choice(TOPICS)) for _ in range(10)]
    asked += [sample_claim(rng)[0] for _ in range(10)]
    return [Item(split="geometry", prompt=prompt) for prompt in asked]
