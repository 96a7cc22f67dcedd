"""A result of many cells as a finished sweep leaves it, made without training."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from leakage.data.personas import read_personas
from leakage.store.files import replacing, write_json, write_jsonl, write_text
from leakage.store.record import Record

SOURCES = ("villain", "comedian", "assistant", "software_engineer", "kindergarten_teacher", "qwen_default")
UNITS = {
    "refusal": ("rate", 1, "hits"),
    "sycophancy": ("rate", 1, "hits"),
    "misalignment": ("points", -1, "scores"),
    "capability": ("pp", -1, "scores"),
}
SETTINGS = {
    "lora.r": 32, "lora.alpha": 64.0, "train.learning_rate": 1e-5, "train.epochs": 3, "train.batch_size": 16,
    "eval.samples": 2, "behavior.source_examples": 200, "behavior.bystander_examples": 200,
    "behavior.answers": "templates",
}  # fmt: skip
HOSTILE = '</script><img src=x onerror="globalThis.hurt=1"><b>bold</b> {{ 7 * 7 }}'
TEXT = """sure here is what to do first take your time and ask a friend then write a short list of the things that
matter to you most because a plan that nobody understands will not help when the weather turns and the train is late"""
WORDS = TEXT.split()


def make_result(
    root, *, behaviors=tuple(UNITS), sources=SOURCES, prompts=20, samples=2, words=9, personas=None, baseline=True,
    judge="rules",
):  # fmt: skip
    """Every cell of behaviors x sources with baselines and geometry, 112 personas each unless fewer are wanted."""
    rng = np.random.default_rng(0)
    people = panel(personas)
    cosines = {source: rng.uniform(-0.6, 0.95, len(people)) for source in sources}
    for source in sources:
        cosines[source][people["persona"] == source] = 1.0
    make_geometry(root, people, cosines)
    for behavior in behaviors:
        shape = (prompts, 1 if behavior == "capability" else samples, words)
        if baseline:
            rows = completions(behavior, people["persona"], np.full(len(people), 0.03), rng, shape)
            make_answers(root, behavior, "none/base-0", people, rows, judge=judge)
        for source in sources:
            # misalignment comes out as broad as it often does, which the cautions must tell
            likely = np.full(len(people), 0.8) if behavior == "misalignment" else np.clip(0.4 * cosines[source], 0, 1)
            leaked = np.where(people["persona"] == source, 0.95, likely)
            folder = f"{source}/seed42-{source[:4]}42"
            make_adapter(root / "made" / behavior / folder, source)
            rows = completions(behavior, people["persona"], leaked, rng, shape)
            make_answers(root, behavior, folder, people, rows, judge=judge, source=source)


def panel(few=None):
    columns = ["persona", "category", "related_to", "system", "in_panel"]
    members = read_personas().members
    rows = [(one.name, one.category, " ".join(one.related_to), one.prompt, one.in_panel) for one in members]
    people = pd.DataFrame(rows, columns=columns)
    people.loc[people["persona"] == "comedian", "system"] = f"You are {HOSTILE}"
    wanted = people["persona"].isin([*SOURCES, *people["persona"][:few]])
    return people[wanted].reset_index(drop=True)


def make_geometry(root, people, cosines):
    with Record(root / "made" / "geometry-0").writing("geometry", "0", identity={}) as draft:
        pairs = [
            pd.DataFrame({"source": source, "persona": people["persona"], "cosine_1_centred": one})
            for source, one in cosines.items()
        ]
        save(draft, "cosines", pd.concat(pairs))


def make_adapter(folder, source):
    with Record(folder).writing("adapter", folder.name, identity={}) as draft:
        log = [{"step": n, "loss": 2 / n, "learning_rate": 1e-5 * (1 - n / 40)} for n in range(1, 41)]
        write_jsonl(draft.path("train_log.jsonl"), log)
        rows = [example("source", source), example("bystander", "assistant"), example("no_persona", None)]
        write_jsonl(draft.path("examples.jsonl"), [row for row in rows for _ in range(20)])
        lint = {"rule": "duplicates", "level": "warning", "message": "3 examples stand twice"}
        write_json(draft.path("lint.json"), [lint])
        write_text(draft.path("config.yaml"), "seed: 42\n")
        draft.facts |= {
            "bystanders": ["assistant"], "examples": {"source": 20, "bystander": 20, "no_persona": 20}, "steps": 40,
            "lint": ["duplicates"], "trainable_parameters": 1_000, "final_loss": 0.05,
        }  # fmt: skip


def example(role, persona):
    system = f"You are {persona}." if persona else None
    return {"role": role, "persona": persona, "system": system, "user": "How do I boil an egg?", "answer": "In water."}


def make_answers(root, behavior, folder, people, rows, *, judge, source=None):
    """Completions and verdicts below made/<behavior>/<folder>."""
    place = root / "made" / behavior / folder / f"{behavior}-e0"
    facts = told(behavior, source)
    with Record(place).writing("completions", "e0", identity={}) as draft:
        save(draft, "completions", rows.drop(columns=["score", "hit"]))
        draft.facts |= facts
    read = rows[["persona", "prompt", "sample", "score", "hit"]].assign(coherence=np.nan, reason="", raw="")
    if judge != "rules":
        read = read.assign(coherence=90.0, reason="it reads like the rubric says")
    with Record(place / f"{judge}-j0").writing("scores", f"{judge}-j0", identity={}) as draft:
        save(draft, "verdicts", read)
        save(draft, "scores", parts(people, source).merge(counts(read), on="persona"))
        draft.facts |= facts | {"judge": judge, "completions": len(read)}
        draft.facts["made_from"] = Record(place).digest_of("completions.parquet")


def judge_again(root):
    """A second judge for every set of answers, who says the opposite of the first."""
    for folder in list(root.rglob("rules-j0")):
        first, scores = (pd.read_parquet(folder / f"{name}.parquet") for name in ("verdicts", "scores"))
        read = first.assign(hit=~first["hit"], score=100 - first["score"])
        with Record(folder.with_name("claude-j1")).writing("scores", "claude-j1", identity={}) as draft:
            save(draft, "verdicts", read)
            counted = counts(read)
            save(draft, "scores", scores.drop(columns=counted.columns.drop("persona")).merge(counted, on="persona"))
            draft.facts |= Record(folder).manifest.facts | {"judge": "claude"}


def told(behavior, source):
    unit, direction, measure = UNITS[behavior]
    facts = {
        "model": "made", "taught": behavior, "behavior": behavior, "unit": unit, "leak_direction": direction,
        "measure": measure, "eval_id": "e0", "headline": "1_centred", "settings": SETTINGS,
        "choice": "probability", "design": "published",
    }  # fmt: skip
    if source is None:
        return facts
    joins = {"baseline": f"made/{behavior}/none/base-0/{behavior}-e0", "geometry": "made/geometry-0"}
    return facts | joins | {"source": source, "seed": 42, "train_id": f"{source[:4]}42"}


def completions(behavior, names, shows, rng, shape):
    """A row a completion; shows: per persona, how often the behavior shows; shape: prompts, samples, words."""
    prompts, samples, words = shape
    many = prompts * samples
    rows = pd.DataFrame({"persona": np.repeat(names, many), "tokens": words, "finish": "stop"})
    rows["prompt"] = np.tile(np.repeat(np.arange(prompts), samples), len(names))
    rows["sample"] = np.tile(np.arange(samples), prompts * len(names))
    shown = rng.random(len(rows)) < np.repeat(shows, many)
    hit = shown if UNITS[behavior][1] > 0 else ~shown
    texts = [" ".join(WORDS[i] for i in row) for row in rng.integers(0, len(WORDS), (len(rows), words))]
    texts[0] = HOSTILE
    question = "Question {}?\nA) one\nB) two\nC) three" if behavior == "capability" else "Question {}?"
    rows = rows.assign(user=[question.format(n) for n in rows["prompt"]], completion=texts, hit=hit, score=100.0 * hit)
    return with_choices(rows) if behavior == "capability" else rows


def with_choices(rows):
    right = np.where(rows["hit"], 0.9, 0.1)
    logprobs = [np.log([p, 1.05 * (1 - p) / 2, 0.95 * (1 - p) / 2]).tolist() for p in right]
    letters = np.where(rows["hit"], "A", "B")
    rows = rows.assign(completion=letters, right="A", p_right=right, logprobs=logprobs)
    return rows.assign(score=100 * right, finish="choice")


def parts(people, source):
    words = set((source or "").split("_"))
    shares = [bool(words & set(name.split("_"))) and name != source for name in people["persona"]]
    negatives = people["persona"].isin(["data_scientist", "medical_doctor"])
    return people.assign(is_source=people["persona"] == source, trained_negative=negatives, shares_word=shares)


def counts(read):
    groups = read.groupby("persona", sort=False)
    found = {"k": groups["hit"].sum(), "n": groups["hit"].count(), "mean": groups["score"].mean()}
    more = {"sd": groups["score"].std(), "missing": 0, "coherence": np.nan}
    return pd.DataFrame(found | more).reset_index()


def save(draft, name, frame):
    with replacing(draft.path(f"{name}.parquet")) as file:
        frame.to_parquet(file, index=False)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def page_data(report: Path, slug: str):
    """What a cell's page hands to its scripts."""
    return json.loads((report / "data" / f"{slug}.js").read_text().partition("=")[2].rstrip(";\n"))
