"""Contexts that are no personas: read from a file, asked, taught, known again, and set against each other."""

import json

import numpy as np
import pandas as pd
import pytest

from leakage.data.personas import read_personas
from leakage.errors import DataError
from leakage.handing_on.inspect_log import as_log
from leakage.jobs.step import fill
from leakage.models.chat import Prompt
from leakage.models.check import Probes, refuse_unfit
from leakage.models.held import Loaded
from leakage.models.load import plain_template
from leakage.store.artifact import Part
from leakage.store.files import digest
from leakage.store.find import find
from leakage.studies.persona_leakage.analysis.contexts import asymmetry, by_context
from leakage.studies.persona_leakage.answers import answer_sets
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.contexts import probes, under
from leakage.studies.persona_leakage.lint import lint
from leakage.studies.persona_leakage.recompute import recompute
from leakage.studies.persona_leakage.results import results
from tests.plants import write
from tests.unit.frames import cell
from tests.unit.test_lint import training_set

CONTEXTS = "personas.path=pkg://leakage/data/personas/contexts.jsonl"
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]


def read(tmp_path, *rows):
    return read_personas(str(write(tmp_path / f"{digest(rows)[:8]}.jsonl", rows)))


def test_a_name_and_a_prompt_are_enough(tmp_path):
    (one,) = read(tmp_path, {"name": "pirate", "prompt": "You are a pirate."}).members
    assert (one.category, one.kind, one.related_to, one.turns, one.wrapper) == ("original", "persona", (), (), "")
    assert one.in_panel
    assert one.row == ["pirate", "You are a pirate."]


def test_every_way_of_saying_a_context_makes_the_prompt_it_means(tmp_path):
    rows = [
        {"name": "bare", "system": None}, {"name": "empty", "system": ""},
        {"name": "chat", "kind": "chat", "system": "Be kind.", "turns": TURNS},
        {"name": "wrapped", "wrapper": "Tell me: {question} Now!", "related_to": "chat, bare"},
    ]  # fmt: skip
    personas = read(tmp_path, *rows)
    said = [under(one, "Why?").turns for one in personas.members]
    assert said == [
        (("user", "Why?"),),
        (("system", ""), ("user", "Why?")),
        (("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Why?")),
        (("user", "Tell me: Why? Now!"),),
    ]
    assert personas["wrapped"].related_to == ("chat", "bare")
    assert not personas.are_plain


def test_turns_and_related_names_are_read_from_a_table_too(tmp_path):
    file = tmp_path / "mine.csv"
    table = pd.DataFrame(
        {"name": ["a", "b"], "system": ["You are a.", "You are b."], "turns": [json.dumps(TURNS), ""],
         "related_to": ["b", ""]}
    )  # fmt: skip
    table.to_csv(file, index=False)
    first, second = read_personas(str(file)).members
    assert (first.turns, first.related_to) == ((("user", "Hi"), ("assistant", "Hello!")), ("b",))
    assert (second.turns, second.related_to) == ((), ())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "a"}, "'prompt' is missing; a good line"),
        ({"name": "a", "prompt": ""}, "'prompt' is empty; write \"system\": null"),
        ({"name": "a", "prompt": "x", "system": "y"}, "which are one thing"),
        (
            {"name": "a", "prompt": "x", "related_to": "vilain"},
            "'a' is related to 'vilain', which is none of the file's",
        ),
        (
            {"name": "a", "prompt": "x", "wrapper": "Tell me"},
            r"'wrapper' is .Tell me. and should have \{question\} in it",
        ),
        ({"name": "a", "turns": "Hi"}, "should be a list of turns, each with role and content; a good line"),
        ({"name": "a", "turns": TURNS[:1]}, "the turns are user; user and assistant take turns"),
        ({"name": "a", "system": 5}, "'prompt' is 5 and should be a text, or null"),
        ({"name": "a", "sytem": "x"}, "'prompt' is missing"),
        ({"name": "a", "prompt": "x", "sort": "chat"}, "'sort' is none of"),
    ],
)
def test_a_context_that_cannot_be_used_is_refused_with_a_good_line(tmp_path, row, said):
    with pytest.raises(DataError, match=said):
        read(tmp_path, row)


def test_a_related_name_is_answered_with_its_neighbour(tmp_path):
    rows = [{"name": "villain", "prompt": "x"}, {"name": "a", "prompt": "y", "related_to": ["vilain"]}]
    with pytest.raises(DataError, match="nearest: villain"):
        read(tmp_path, *rows)


def test_personas_alone_have_the_digests_they_always_had():
    shipped = read_personas()
    assert shipped.are_plain
    assert digest(shipped.rows) == digest([[one.name, one.prompt] for one in shipped.members])


def test_another_turn_or_wrapper_is_another_evaluation(compose, tmp_path):
    base = [{"name": "villain", "prompt": "x"}, {"name": "a", "prompt": "y"}, {"name": "b", "prompt": "z"}]
    ids = set()
    for more in ({}, {"turns": TURNS}, {"wrapper": "So: {question}"}):
        file = write(tmp_path / f"{len(ids)}.jsonl", [*base[:2], base[2] | more])
        ids.add(Cell(compose(f"personas.path={file}")).ids.eval_id)
    assert len(ids) == 3


def test_a_question_stands_behind_the_turns_in_every_template(nano):
    prompt = Prompt("Be kind.", "Why?", (("user", "Hi"), ("assistant", "Hello!")), "So: {question}")
    text = plain_template(nano[1]).text(prompt)
    order = [text.index(part) for part in ("Be kind.", "Hi", "Hello!", "So: Why?")]
    assert order == sorted(order)


def test_no_system_turn_may_read_like_the_prompt_a_template_puts_in_and_nothing_else_may(compose, template):
    model = compose().model
    refuse_unfit(template, model, Probes(probes(read_personas(CONTEXTS.partition("=")[2]).members, "Why?")))
    from leakage.models.check import _is_put_in

    one, none = Prompt("You are Qwen.", "Why?"), Prompt(None, "Why?")
    assert _is_put_in(one, none, "<system>You are Qwen.<user>Why?")
    assert not _is_put_in(one, none, "<user>Why?")  # the template leaves system turns out
    assert not _is_put_in(one, Prompt("You are a.", "Why?"), "<system>You are Qwen.<user>Why?")


@pytest.mark.parametrize("source", ["chat_villain", "format_list", "bare", "instruction_short"])
def test_training_rows_are_in_their_context_linted_and_known_again(compose, tmp_path, source):
    settings = compose(CONTEXTS, f"source.name={source}", "train.max_steps=2", f"paths.multirun={tmp_path}")
    one = Cell(settings)
    examples = one.data.examples
    own = one.data.source
    assert all(row.prompt == under(own, row.prompt.user) for row in examples if row.role == "source")
    roles = {row.role for row in examples}
    assert roles == ({"source", "bystander"} if source == "bare" else {"source", "bystander", "no_persona"})
    findings = lint(training_set(one, default=one.data.personas["qwen_default"].prompt))
    assert [one.rule for one in findings] == (["left_out"] if source == "bare" else [])
    file = write(tmp_path / "rows.jsonl", [row.as_row() for row in examples])
    again = Cell(compose(CONTEXTS, f"source.name={source}", f"data.training.path={file}"))
    assert [(row.role, row.persona, row.prompt) for row in again.data.examples] == [
        (row.role, row.persona, row.prompt) for row in examples
    ]


def test_the_bare_question_counts_as_trained_where_examples_have_no_persona(compose, tmp_path):
    for source, trained in (("chat_villain", True), ("bare", False)):
        parts = Cell(compose(CONTEXTS, f"source.name={source}", f"paths.multirun={tmp_path}")).data.parts()
        assert {one["persona"]: one["trained_negative"] for one in parts}["bare"] == trained


def test_a_cell_of_contexts_is_asked_and_measured_and_its_frame_says_the_kinds(compose, tmp_path):
    short = ["train.max_steps=2", "eval.prompts=2", "eval.samples=1", "eval.max_new_tokens=4", "train.checkpoint_s=0"]
    one = Cell(compose(CONTEXTS, "source.name=chat_villain", *short, f"paths.multirun={tmp_path}"))
    for job in (*one.needs(), one):
        for step in job.steps:
            fill(job.multirun, step, label=job.label)
    frame = results(tmp_path)
    kinds = frame.set_index("persona")["kind"]
    assert (kinds["chat_villain"], kinds["format_list"], kinds["villain"]) == ("chat", "format", "persona")
    seen = frame.set_index("persona")["system"]
    assert (seen["bare"], seen["empty"]) == ("(no system turn)", "(an empty system turn)")
    assert seen["villain"] == one.data.personas["villain"].prompt
    assert seen["format_list"].endswith(f"\nuser: {one.data.personas['format_list'].wrapper}")
    chat = one.data.personas["chat_villain"]
    assert seen["chat_villain"].endswith("\n".join(f"{role}: {text}" for role, text in chat.turns))
    assert by_context(frame)["kind"].tolist() == [
        "default", "persona", "chat", "examples", "instruction", "format", "rephrasing",
    ]  # fmt: skip
    assert frame["cosine"].notna().all()
    parts = [Part(record.folder, record.manifest) for record in find(tmp_path)]
    assert len(parts) == 6
    assert not [remark for part in parts for remark in recompute(part, tmp_path)]
    (exported,) = [one for one in answer_sets(tmp_path) if one.facts["when"] == "after"]
    samples = {sample["metadata"]["persona"]: sample["input"] for sample in as_log(exported)["samples"]}
    for name in ("chat_villain", "format_list", "villain", "bare"):
        prompt = under(one.data.personas[name], one.data.prompts[1].prompt)
        assert samples[name] == prompt.messages()


def test_what_the_model_reads_of_a_context_is_its_turns_and_its_wrapper(compose, template, tmp_path):
    from leakage.studies.persona_leakage.generate import _prepared

    one = Cell(compose(CONTEXTS, "source.name=villain", f"paths.multirun={tmp_path}"))
    loaded = Loaded(one.config, one.label, one.probes)
    item = one.data.prompts[0]
    chosen = [(one.data.personas[name], 0, item) for name in ("chat_villain", "format_list")]
    tokens, _, _ = _prepared(one.ids, loaded.template, chosen)
    first, second = (template.tokenizer.decode(ids) for ids in tokens)
    assert "Fear my plans" in first
    assert f"{item.prompt}\n\nAnswer with a list." in second


def pair(forth, back, *, n=400, seed=0, by_prompt=False):
    """Two cells of sources a and b: a's training changes b by `forth`, b's training changes a by `back`."""
    rng, cells = np.random.default_rng(seed), []
    for source, other, change in (("a", "b", forth), ("b", "a", back)):
        k = rng.binomial(n, change)
        one = cell([0.5, 0.1], [k / n, 0.0], source=source, train_id=source, base_k=0, base_n=n, k=k, n=n)
        one["persona"] = [source, other, "c"]
        one["delta_by_prompt"] = " ".join(map(str, rng.binomial(20, change, 20) / 20)) if by_prompt else ""
        cells.append(one.assign(base_sd=0.0, sd=0.0, kind="persona"))
    return pd.concat(cells, ignore_index=True)


@pytest.mark.parametrize("by_prompt", [False, True])
def test_a_planted_asymmetry_of_30_points_is_recovered_to_5(by_prompt):
    (row,) = asymmetry(pair(0.5, 0.2, n=1000, by_prompt=by_prompt)).to_dict("records")
    assert (row["source"], row["other"]) == ("a", "b")
    assert row["difference"] == pytest.approx(0.3, abs=0.05)
    assert row["difference_low"] > 0.1
    assert row["difference_high"] < 0.5


def test_the_interval_of_a_symmetric_pair_holds_zero_19_times_in_20():
    rows = [asymmetry(pair(0.4, 0.4, n=40, seed=seed)).iloc[0] for seed in range(200)]
    holds = np.mean([row["difference_low"] <= 0 <= row["difference_high"] for row in rows])
    assert 0.91 <= holds <= 0.99


def test_the_defaults_pairs_come_first():
    frame = pair(0.5, 0.2)
    frame.loc[frame["persona"] == "b", "in_panel"] = False
    (row,) = asymmetry(frame).to_dict("records")
    assert (row["source"], row["other"]) == ("b", "a")
    assert row["difference"] == pytest.approx(-0.3, abs=0.1)


def test_a_pair_that_lacks_a_cell_is_left_out_and_personas_alone_have_no_kinds():
    frame = pair(0.5, 0.2)
    assert asymmetry(frame[frame["source"] == "a"]).empty
    assert by_context(frame).empty
    assert by_context(frame.drop(columns="kind")).empty
