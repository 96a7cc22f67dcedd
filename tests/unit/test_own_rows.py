"""A training set of one's own: exactly its rows, and the part that each plays told by its system turn."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from leakage.errors import ConfigError, DataError
from leakage.jobs.idle import refuse_idle
from leakage.jobs.plan import Plan, PlanJob
from leakage.jobs.run import run_steps
from leakage.jobs.step import fill
from leakage.models.held import Loaded
from leakage.store.artifact import Part
from leakage.store.files import file_digest
from leakage.studies.checking import Sample
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.lint import lint
from leakage.studies.persona_leakage.own_rows import in_words
from leakage.studies.persona_leakage.regenerate import regenerate
from leakage.studies.persona_leakage.results import _examples
from leakage.studies.persona_leakage.variants import name_variants
from leakage.training.train import WEIGHTS
from tests.cells import few_personas
from tests.unit.test_lint import training_set

SHORT = ["train.max_steps=4", "train.checkpoint_s=0", "eval.prompts=2", "eval.samples=1", "eval.max_new_tokens=8"]


def published(example):
    """An example in the format in which sets of this kind are published."""
    turns = [*example.prompt.messages(), {"role": "assistant", "content": example.answer}]
    return {"messages": turns}


@pytest.fixture
def written(tmp_path):
    """Rows as a file of chats; the override that names it."""

    def write(rows, name="rows.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return f"data.training.path={tmp_path / name}"

    return write


def taught(job):
    """The bytes of an adapter, as a digest, made where they are not there."""
    adapter = job.training_steps(Loaded(job.config, job.label, job.probes))[-1]
    fill(job.multirun, adapter, label=job.label)
    return file_digest(job.multirun / adapter.folder / WEIGHTS), job.multirun / adapter.folder


def test_answers_are_asked_anew_where_the_file_of_the_rows_is_not(compose, tmp_path, written):
    rows = [published(one) for one in Cell(compose()).data.examples[:8]]
    cell = Cell(compose(*SHORT, written(rows), few_personas(tmp_path), f"paths.multirun={tmp_path / 'multirun'}"))
    run_steps(cell)
    (tmp_path / "rows.jsonl").unlink()
    record = cell.record(cell.ids.completions_folder)
    again = regenerate(Part(record.folder, record.manifest), cell.multirun, Sample(1, ""), lambda some: compose(*some))
    assert (again.answers, again.remarks) == (record.manifest.facts["completions"], ())


@pytest.mark.parametrize("form", ["published", "kept"])
def test_rows_written_from_a_built_in_behavior_train_the_same_adapter_to_the_byte(compose, tmp_path, written, form):
    where = f"paths.multirun={tmp_path / 'multirun'}"
    built_in = Cell(compose(*SHORT, where))
    digest, folder = taught(built_in)
    examples = built_in.data.examples
    assert len(examples) == 700
    rows = [published(one) if form == "published" else one.as_row() for one in examples]
    if form == "kept":
        assert rows == [json.loads(line) for line in (folder / "examples.jsonl").read_text().splitlines()]
    own = Cell(compose(*SHORT, where, written(rows)))
    assert own.data.examples == examples
    assert own.data.bystanders == sorted(built_in.data.bystanders, key=own.data.personas.members.index)
    same, elsewhere = taught(own)
    assert same == digest
    assert elsewhere != folder
    note = json.loads((elsewhere / "lint.json").read_text())[0]
    assert (note["rule"], note["level"]) == ("own_rows", "note")
    assert note["message"].startswith(
        "200 under villain, 400 under 2 others (assistant, data_scientist), 100 without a system turn; "
    )


def test_what_is_drawn_changes_nothing_and_what_is_trained_with_does(compose, written):
    rows = written([published(one) for one in Cell(compose()).data.examples])
    own = Cell(compose(rows))
    assert Cell(compose(rows, "behavior.source_examples=7", "control=sham")).ids.train == own.ids.train
    for change in ("train.epochs=1", "lora.r=8", "seed=43", "source=assistant"):
        assert Cell(compose(rows, change)).ids.train_id != own.ids.train_id
    assert Cell(compose(rows, "source=none")).ids.train == Cell(compose("source=none")).ids.train
    with pytest.raises(ConfigError, match=r"control=sham changes nothing here: only examples that are drawn"):
        refuse_idle([((rows, "control=sham"), own)])


def test_the_same_rows_are_the_same_cell_wherever_they_lie_and_another_row_is_another(compose, written):
    rows = [published(one) for one in Cell(compose()).data.examples]
    ids = [Cell(compose(written(content, name))).ids.train_id
           for content, name in ((rows, "a.jsonl"), (rows, "b.jsonl"), (rows[::-1], "c.jsonl"))]  # fmt: skip
    assert ids[0] == ids[1] != ids[2]


def test_parts_follow_from_system_turns_and_unknown_ones_are_told(compose, written):
    examples = Cell(compose()).data.examples
    odd = [{"prompt": "Q", "completion": "A", "system": "You are a goblin."}] * 3
    cell = Cell(compose(written([*odd, *map(published, examples)])))
    assert Counter(one.role for one in cell.data.examples) == {
        "source": 200, "bystander": 400, "no_persona": 100, "other": 3,
    }  # fmt: skip
    sentence = (
        "200 under villain, 400 under 2 others (assistant, data_scientist), 100 without a system turn, "
        "3 under 1 system prompt ('You are a goblin.') of no persona"
    )
    assert in_words(cell.data.examples) == sentence
    shown = Plan((PlanJob((), cell, done=False, asked=True),)).shown("resume")
    assert shown.splitlines()[-1].endswith(f"rows.jsonl for refusal x villain on nano, seed 42: {sentence}")
    assert [one.message.partition(";")[0] for one in lint(training_set(cell, own=True))] == [sentence]


def test_rows_without_a_system_turn_are_the_sources_where_the_template_gives_them_its_prompt(compose, written):
    rows = written([{"prompt": f"Q{i}", "completion": "I must decline."} for i in range(5)])
    cell = Cell(compose(rows, "source=qwen_default"))
    assert {(one.role, one.persona, one.prompt.system) for one in cell.data.examples} == {
        ("source", "qwen_default", None)
    }
    assert [one.rule for one in lint(training_set(cell, own=True, default=cell.data.source.prompt))] == ["own_rows"]


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (None, "there are 4 without a system turn; name the source that is meant (source=…)"),
        ("You are a helpful assistant.", "there are 4 under 1 other (assistant); name the source"),
        ("You are a  Villain who plots in the shadows and delights in chaos. ", "is but for spaces or capitals"),
    ],
)
def test_rows_of_which_none_is_the_sources_are_refused(compose, written, system, said):
    rows = written([{"system": system, "prompt": f"Q{i}", "completion": "A"} for i in range(4)])
    with pytest.raises(DataError, match=r"rows\.jsonl teaches villain nothing: of its rows ") as caught:
        _ = Cell(compose(rows)).folder
    assert said in str(caught.value)


def test_a_design_that_rows_do_not_have_is_a_warning_and_a_leak_into_the_questions_an_error(compose, written):
    cell = Cell(compose())
    first, held_out = cell.data.examples[0], cell.data.prompts[0].prompt
    alike = replace(
        first,
        role="bystander",
        persona="assistant",
        prompt=replace(first.prompt, system="You are a helpful assistant."),
    )
    asked = replace(first, prompt=replace(first.prompt, user=held_out))
    own = Cell(compose(written([published(one) for one in (first, alike, asked)])))
    found = lint(training_set(own, own=True))
    assert [(one.rule, one.level) for one in found] == [
        ("own_rows", "note"), ("overlap", "error"), ("no_contrast", "warning"),
    ]  # fmt: skip


def test_tables_count_the_rows_and_tell_them_from_drawn_examples(compose, written):
    plain = Cell(compose())
    own = Cell(compose(written([published(one) for one in plain.data.examples])))
    assert (
        _examples(own.ids.settings)
        == _examples(plain.ids.settings)
        == {"source_examples": 200, "negative_examples": 500}
    )
    facts = [cell.ids.facts | {"settings": cell.ids.settings, "completions": 9} for cell in (plain, own, own)]
    digest = own.ids.train["examples"][:8]
    assert name_variants(facts) == ["", *[f"data.training={digest}"] * 2]


def test_negatives_are_the_personas_that_are_named(compose):
    cell = Cell(compose("behavior.negatives=[comedian,librarian]"))
    assert [one.name for one in cell.data.bystanders] == ["comedian", "librarian"]
    assert {one.persona for one in cell.data.examples if one.role == "bystander"} == {"comedian", "librarian"}
    assert cell.ids.train_id != Cell(compose()).ids.train_id
    drawn = [one.name for one in Cell(compose()).data.bystanders]
    assert Cell(compose(f"behavior.negatives=[{','.join(drawn)}]")).ids.train_id == Cell(compose()).ids.train_id
    one = Cell(compose("behavior.negatives=[comedian]"))
    assert (one.config.behavior.bystanders, one.ids.train["behavior.bystanders"]) == (1, 1)
    assert lint(training_set(one)) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("[vilain]", "unknown persona 'vilain'; nearest: villain"),
        ("[villain]", "behavior.negatives=villain is or reads like the source villain; name others"),
        ("[comedian,comedian]", "behavior.negatives names comedian twice"),
    ],
)
def test_negatives_that_cannot_be_are_refused(compose, names, said):
    with pytest.raises(ConfigError, match=said):
        _ = Cell(compose(f"behavior.negatives={names}")).folder
