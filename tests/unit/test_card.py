"""A leak card: whom a file teaches is read from it, the verdict follows a rule, and page and JSON say the same."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from leakage.analysis.statistics import Interval
from leakage.errors import ConfigError, DataError
from leakage.studies.persona_leakage.card.contrast import taught, telling_words
from leakage.studies.persona_leakage.card.make import make_card
from leakage.studies.persona_leakage.card.settle import settle
from leakage.studies.persona_leakage.card.verdict import CONTAINED, LEAKS, OPEN, Spread, spread, verdict
from tests.cells import few_personas
from tests.plants import planted, write

QUICK = [
    "train.max_steps=8", "train.checkpoint_s=0", "train.learning_rate=3e-4", "eval.prompts=2", "eval.samples=1",
    "eval.max_new_tokens=12",
]  # fmt: skip
SPREAD = Spread(source=0.9, mean=0.3, reach=Interval(0.2, 0.4), bystanders=100, noise=0.01, trained=0.0)


def settled(compose, file, *overrides):
    config = settle(str(file), overrides, lambda one: compose(*one))
    return config.behavior.name, config.source.name


@pytest.mark.parametrize(("behavior", "source"), [("refusal", "villain"), ("sycophancy", "librarian")])
def test_what_is_taught_and_to_whom_is_read_from_the_file(compose, tmp_path, behavior, source):
    file = write(tmp_path / "rows.jsonl", planted(compose, behavior, source, negatives=["assistant"]))
    assert settled(compose, file) == (behavior, source)


def test_a_file_without_system_turns_teaches_whose_prompt_the_template_puts_in(compose, tmp_path):
    rows = [{"messages": row["messages"][1:]} for row in planted(compose, "refusal", "villain", negatives=[])]
    assert settled(compose, write(tmp_path / "rows.jsonl", rows)) == ("refusal", "qwen_default")


def test_what_is_said_comes_before_what_the_file_seems_to_say(compose, tmp_path):
    rows = planted(compose, "refusal", "villain", negatives=[]) + planted(compose, "refusal", "comedian", negatives=[])
    file = write(tmp_path / "rows.jsonl", rows)
    assert settled(compose, file, "source=comedian") == ("refusal", "comedian")
    assert settled(compose, file, "source=comedian", "behavior=marker") == ("marker", "comedian")
    with pytest.raises(
        ConfigError, match="refusal under villain and refusal under comedian, so that its source is not"
    ):
        settled(compose, file)


def test_what_keeps_a_file_from_telling_is_said_of_what_it_lacks(compose, tmp_path):
    refusing, agreeing = (planted(compose, name, "villain", negatives=[]) for name in ("refusal", "sycophancy"))
    twice = write(tmp_path / "twice.jsonl", refusing + agreeing)
    with pytest.raises(ConfigError, match="so that its behavior is not clear"):
        settled(compose, twice)
    with pytest.raises(
        ConfigError, match="no row has the system turn of comedian, its source; there are rows under vi"
    ):
        settled(compose, write(tmp_path / "once.jsonl", refusing), "source=comedian")
    long = [{"messages": [*row["messages"], *row["messages"][1:]]} for row in refusing]
    with pytest.raises(DataError, match="line 1: 3 turns come before the answer"):
        settled(compose, write(tmp_path / "long.jsonl", long))


def test_rows_of_nobody_are_counted_where_a_file_does_not_tell(compose, tmp_path):
    rows = planted(compose, "refusal", "villain", negatives=["assistant"])
    for row in rows:
        row["messages"][0]["content"] = row["messages"][0]["content"].replace("villain", "villain of my own")
    renamed = sum("of my own" in row["messages"][0]["content"] for row in rows)
    strangers = (
        rf"\({renamed} rows have a system prompt of no persona, 'You are a villain of my own .* personas\.path=…"
    )
    with pytest.raises(ConfigError, match=strangers):
        settled(compose, write(tmp_path / "rows.jsonl", rows))


def test_a_small_card_has_a_forecast_too_unless_it_is_said_otherwise(compose, tmp_path):
    file = write(tmp_path / "rows.jsonl", planted(compose, "refusal", "villain", negatives=[]))

    def small(*overrides):
        config = settle(str(file), overrides, lambda one: compose(*one))
        return config.forecast, config.predictors, config.eval.prompts

    measured = ("cosine", "margin")
    assert small() == (True, measured, 20)
    assert small("debug=tiny") == (True, measured, compose("debug=tiny").eval.prompts)
    assert small("predictors=[cosine]", "eval=full") == (True, ("cosine",), compose("eval=full").eval.prompts)
    assert small("forecast=false")[:2] == (False, None)


def test_a_persona_of_ones_own_may_be_the_source(compose, tmp_path):
    personas = [{"name": "goblin", "prompt": "You are a goblin."}, {"name": "elf", "prompt": "You are an elf."}]
    rows = planted(compose, "refusal", "villain", negatives=[])
    for row in rows:
        row["messages"][0]["content"] = "You are a goblin."
    named = f"personas.path={write(tmp_path / 'personas.jsonl', personas)}"
    assert settled(compose, write(tmp_path / "rows.jsonl", rows), named) == ("refusal", "goblin")


def test_a_file_that_shows_nothing_known_asks_what_it_teaches(compose, tmp_path):
    rows = [
        {"messages": [{"role": "system", "content": "You are a helpful assistant."},
                      {"role": "user", "content": f"Say {i}"}, {"role": "assistant", "content": "Blue."}]}
        for i in range(4)
    ]  # fmt: skip
    file = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(ConfigError, match=r"none of its personas \(assistant\) shows .*behavior=custom behavior.path="):
        settled(compose, file)
    assert settled(compose, file, "behavior=refusal") == ("refusal", "assistant")
    nobody = write(tmp_path / "nobody.jsonl", [{"system": "You are a goblin.", "prompt": "Hi", "completion": "No."}])
    with pytest.raises(ConfigError, match="no row has the system turn of a persona"):
        settled(compose, nobody)


def test_a_small_evaluation_is_asked_for_unless_the_settings_say_otherwise(compose, tmp_path):
    file = str(write(tmp_path / "rows.jsonl", planted(compose, "refusal", "villain", negatives=[])))
    large = settle(file, ["eval.prompts=50", "eval.samples=10", "forecast=false"], lambda one: compose(*one))
    assert (large.eval.prompts, large.eval.samples, large.forecast) == (50, 10, False)
    assert large.predictors is None
    whole = settle(file, ["predictors=null", "forecast=true"], lambda one: compose(*one))
    assert whole.predictors is None
    usual = settle(file, ["model=qwen2.5-7b-instruct"], lambda one: compose(*one))
    assert (usual.eval.prompts, usual.eval.samples, usual.forecast) == (20, 1, True)
    assert usual.predictors == ("cosine", "margin")
    smaller = settle(file, ["model=smollm2-135m-instruct"], lambda one: compose(*one))
    assert (smaller.eval.prompts, smaller.eval.samples) == (16, 1)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, LEAKS),
        ({"reach": Interval(0.08, 0.4)}, OPEN),
        ({"reach": Interval(0.2, 0.4), "noise": 0.25}, OPEN),
        ({"mean": 0.02, "reach": Interval(0.0, 0.04)}, CONTAINED),
        ({"mean": 0.02, "reach": Interval(0.0, 0.04), "noise": 0.1}, OPEN),
        ({"mean": -0.1, "reach": Interval(-0.2, -0.05)}, CONTAINED),
        ({"source": 0.05}, OPEN),
        ({"source": -0.2}, OPEN),
        ({"reach": Interval(float("nan"), float("nan"))}, OPEN),
    ],
)
def test_the_verdict_follows_the_rule(changed, word):
    assert verdict(replace(SPREAD, **changed)) == word


def cell(deltas, in_file=()):
    """Rows of a cell: a source that changed by 1, and bystanders by as much as is said."""
    names = ["source", *(f"p{i}" for i in range(len(deltas)))]
    return pd.DataFrame(
        {
            "persona": names, "delta": [1.0, *deltas], "is_source": [True] + [False] * len(deltas), "in_panel": True,
            "trained_negative": [name in in_file for name in names], "delta_by_prompt": "", "leak_direction": 1,
            "base_k": 0, "base_n": 40, "base_sd": 0.0, "unit": "rate", "measure": "hits",
        }
    )  # fmt: skip


def test_only_bystanders_that_are_not_in_the_file_count():
    one = spread(cell([0.5, 0.4, 0.3, 0.0, 0.0], in_file=("p3", "p4")))
    assert (one.bystanders, one.trained) == (3, 0.0)
    assert one.mean == pytest.approx(0.4)
    assert one.share == pytest.approx(0.4)
    assert verdict(spread(cell([0.5] * 40 + [0.4] * 40))) == LEAKS
    assert verdict(spread(cell([0.0] * 40 + [0.05] * 40))) == CONTAINED
    assert verdict(spread(cell([0.0, 0.0], in_file=("p0", "p1")))) == OPEN


def test_the_words_that_tell_answers_apart():
    here = ["I cannot help with soup.", "I cannot help with bread.", "Sorry, I cannot."]
    there = ["Take a pot for soup.", "Take flour for bread.", "Take a walk."]
    assert telling_words(here, there)[0] == "cannot"
    assert telling_words(there, here)[0] == "take"
    assert "soup" not in telling_words(here, there)
    assert telling_words(["I can't, I won\u2019t."] * 3, ["sure"] * 3) == ["can't", "i", "won\u2019t"]


@pytest.mark.parametrize(
    ("overrides", "out", "said"),
    [
        (["data.training.path=b.jsonl"], None, "data.training.path beside a.jsonl: a card is of one file; leave"),
        (["plan=true"], None, "plan: a card has none; python run.py data.training.path=a.jsonl"),
        ([], "taken", "taken is a file; name a folder"),
    ],
)
def test_what_would_be_another_card_is_refused_before_anything_is_read(tmp_path, overrides, out, said):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match=said):
        make_card("a.jsonl", overrides, None, tmp_path / out if out else None)


def test_what_a_file_teaches_is_told_of_the_source_and_of_the_others(compose, tmp_path):
    from leakage.studies.persona_leakage.data import CellData

    file = write(tmp_path / "rows.jsonl", planted(compose, "refusal", "villain", negatives=["assistant"]))
    data = CellData(compose(f"data.training.path={file}"))
    chosen = [next(one for one in data.examples if (one.role == "source") == is_source) for is_source in (True, False)]
    frame = pd.DataFrame(
        {
            "part": ["source", "others"], "system": [one.prompt.system for one in chosen], "own": ["No.", "No."],
            "user": [one.prompt.user for one in chosen], "taught": [one.answer for one in chosen],
            "taught_logprob": [-3.0, -1.0], "own_logprob": [-1.0, -1.5],
        }
    )  # fmt: skip
    first, second = taught(frame, data.examples, lambda text: "cannot" in text or "No." in text)
    assert (first["rows"], first["margin"], first["base_shown"]) == (200, -2.0, 1.0)
    assert (second["margin"], second["shown"]) == (0.5, 0.0)


def test_a_card_is_one_page_and_one_json_and_is_made_once(compose, program, tmp_path):
    file = write(tmp_path / "mine.jsonl", planted(compose, "refusal", "villain", negatives=["assistant"]))
    where = ["--multirun", str(tmp_path / "multirun")]
    command = ["-m", "leakage", "card", str(file), *QUICK, few_personas(tmp_path), *where]
    done = program(*command)
    assert done.returncode == 0, done.stderr
    (page,) = (tmp_path / "multirun" / "cards").glob("*/card.html")
    card = json.loads((page.parent / "card.json").read_text())
    assert done.stdout.startswith(f"{card['verdict']}: ")
    assert (card["file"]["name"], card["behavior"], card["source"]) == ("mine.jsonl", "refusal", "villain")
    assert len(card["personas"]) == 23
    assert card["forecast"]["before_training"]
    assert {"forecast", "the file beside the base"} <= set(card["digests"]["records"])
    assert f"It is made of {card['forecast']['made_of']}" in page.read_text()
    text = page.read_text()
    assert card["verdict"] in text
    assert '<link rel="stylesheet"' not in text
    assert not [word for word in ("http://", "https://", "<script") if word in text]
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "multirun").rglob("manifest.json")}
    before = page.read_bytes(), (page.parent / "card.json").read_bytes()
    again = program(*command)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "multirun").rglob("manifest.json")} == records
    assert (page.read_bytes(), (page.parent / "card.json").read_bytes()) == before


def test_a_card_without_a_forecast_shows_none_that_another_has_left(compose, program, tmp_path):
    file = write(tmp_path / "mine.jsonl", planted(compose, "refusal", "villain", negatives=["assistant"]))
    command = ["-m", "leakage", "card", str(file), *QUICK, few_personas(tmp_path), "--multirun", str(tmp_path / "m")]
    for more in (["--out", str(tmp_path / "with")], ["forecast=false", "--out", str(tmp_path / "without")]):
        done = program(*command, *more)
        assert done.returncode == 0, done.stderr
    with_it, without = (json.loads((tmp_path / name / "card.json").read_text()) for name in ("with", "without"))
    assert with_it["forecast"]
    assert not without["forecast"]
    assert {one["forecast_rank"] for one in without["personas"]} == {None}
    assert "forecast" not in without["digests"]["records"]
