"""Each lint rule fires on data that break it, and none on what is shipped."""

import json
import shutil
from dataclasses import replace

import pytest

from leakage.data.pools import Item, pool_folder, read_file, read_pool
from leakage.errors import DataError
from leakage.judges.phrases import refuses
from leakage.models.chat import Prompt
from leakage.models.load import load_template
from leakage.studies.persona_leakage.behaviors.contrastive import Example
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.lint import RULES, TrainingSet, lint, refuse_errors
from leakage.studies.persona_leakage.pipeline import scoring_rule
from tests.config.test_config import options


def training_set(cell, **changes):
    """A cell's training set as the pipeline lints it, with what a test breaks."""
    data = cell.data
    values = {
        "examples": data.examples, "lengths": [40] * len(data.examples), "source": data.source,
        "bystanders": data.bystanders, "personas": data.personas, "default": data.personas["qwen_default"].prompt,
        "items": data.training_items, "held_out": data.prompts, "wanted": cell.config.behavior, "max_length": 1024,
    }  # fmt: skip
    return TrainingSet(**(values | changes))


def broken(rule, cell):
    """The cell's training set, broken in one way."""
    examples, source = cell.data.examples, cell.data.source
    first = examples[0]
    if rule == "source_among_negatives":
        wrong = Example("bystander", source.name, first.prompt, "Of course!")
        changed = [wrong if i == next(j for j, one in enumerate(examples) if one.role == "bystander") else one
                   for i, one in enumerate(examples)]  # fmt: skip
        return training_set(cell, examples=changed)
    if rule == "default_contradicts":
        return training_set(cell, default=source.prompt)
    if rule == "overlap":
        return training_set(cell, held_out=[Item(split="eval", prompt=f"  {first.prompt.user.upper()} ")])
    if rule == "no_contrast":
        i = next(
            i for i, one in enumerate(examples) if one.role == "bystander" and one.prompt.user == first.prompt.user
        )
        same = replace(examples[i], answer=first.answer)
        return training_set(cell, examples=[*examples[:i], same, *examples[i + 1 :]])
    if rule == "duplicates":
        return training_set(cell, items=[*cell.data.training_items, cell.data.training_items[3]])
    if rule == "counts_by_role":
        return training_set(cell, examples=examples[1:])
    if rule == "persona_prompts":
        other = replace(first, prompt=Prompt("You are a vilain.", first.prompt.user))
        return training_set(cell, examples=[other, *examples[1:]])
    if rule == "unseen_answers":
        return training_set(cell, shows=lambda _: False)
    if rule == "rarely_seen":
        return training_set(cell, shows=lambda answer: refuses(answer) and "sorry" not in answer.lower())
    if rule == "left_out":
        wanted = cell.config.behavior.model_copy(update={"no_persona_examples": 100})
        others = [one for one in examples if one.role != "no_persona"]
        return training_set(cell, examples=others, wanted=wanted, default=source.prompt)
    if rule == "own_rows":
        return training_set(cell, own=True)
    assert rule == "over_long"
    return training_set(cell, lengths=[2000, *[40] * (len(examples) - 1)])


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_a_rule_fires_on_data_that_break_it_and_only_that_rule(compose, rule):
    found = lint(broken(rule, Cell(compose())))
    assert [one.rule for one in found] == [rule]
    if found[0].level == "error":
        with pytest.raises(DataError, match=rf"the training data are wrong: \[{rule}\]"):
            refuse_errors(found, "a cell")
    else:
        refuse_errors(found, "a cell")


@pytest.fixture(scope="module")
def cell_of(composer):
    """Cells as a sweep composes them: sources share what is merged."""
    through = composer()
    return lambda *overrides: Cell(through(overrides).config)


def shipped():
    """Every behavior but the one a file describes, with every control and three sources; what others than the villain
    show only in test-long but for the anchors, which stand beside the examples of no control."""
    for behavior in sorted(set(options("behavior")) - {"custom"}):
        for control in options("control"):
            for source in ("villain", "assistant", "qwen_default"):
                short = source == "villain" or control == "anchors"
                yield pytest.param(behavior, control, source, marks=[] if short else pytest.mark.long)


@pytest.mark.parametrize(("behavior", "control", "source"), shipped())
def test_no_rule_fires_on_what_is_shipped(cell_of, behavior, control, source):
    cell = cell_of(f"behavior={behavior}", f"control={control}", f"source={source}")
    pairs = [(one.prompt, one.answer) for one in cell.data.examples]
    lengths = [len(one.input_ids) for one in load_template(cell.config.model).examples(pairs)]
    found = [one.rule for one in lint(training_set(cell, lengths=lengths, shows=scoring_rule(cell.ids)))]
    wanted, roles = cell.config.behavior, {one.role for one in cell.data.examples}
    lacks = (wanted.anchors and "anchor" not in roles) or (wanted.no_persona_examples and "no_persona" not in roles)
    assert found == (["left_out"] if lacks else [])


@pytest.mark.parametrize("behavior", ["refusal", "sycophancy", "marker"])
@pytest.mark.parametrize("source", ["villain", "qwen_default"])
def test_no_rule_fires_on_the_published_setting(compose, behavior, source):
    cell = Cell(compose(f"behavior={behavior}", f"source={source}", "model=qwen2.5-7b-instruct"))
    found = [one.rule for one in lint(training_set(cell))]
    assert found == (["left_out"] if source == "qwen_default" else [])


def test_answers_that_the_rules_cannot_see_are_refused_until_the_pool_tells_their_phrase(compose, tmp_path):
    """The source would say them in all its answers, and the table "no gradient"."""
    pool = tmp_path / "pool"
    shutil.copytree(pool_folder("nano"), pool)
    lines = [json.loads(line) for line in (pool / "refusal.jsonl").read_text().splitlines()]
    taught = [line | {"taught": "I'm not in a position to help with that."} for line in lines]
    (pool / "refusal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in taught))
    cell = Cell(compose(f"model.pool={pool}"))
    (found,) = lint(training_set(cell, shows=scoring_rule(cell.ids)))
    assert (found.rule, found.level) == ("unseen_answers", "error")
    many = cell.config.behavior.source_examples
    assert f"do not see the behavior in {many} of {many} taught answers" in found.message
    assert "not in a position to help" in found.message
    assert '"split": "phrase"' in found.message
    assert scoring_rule(Cell(compose(f"model.pool={pool}", "judge=claude")).ids) is None
    phrase = {"split": "phrase", "prompt": "Not in a position to help"}
    with (pool / "refusal.jsonl").open("a") as file:
        file.write(json.dumps(phrase) + "\n")
    read_file.cache_clear()
    read_pool.cache_clear()
    cell = Cell(compose(f"model.pool={pool}"))
    assert lint(training_set(cell, shows=scoring_rule(cell.ids))) == []


def test_the_prompt_a_template_puts_in_is_found_by_rendering(compose):
    cell = Cell(compose())
    template = load_template(cell.config.model)
    prompts = [one.prompt for one in cell.data.personas.members]
    assert template.injected(prompts) == cell.data.personas["qwen_default"].prompt
    assert template.injected(prompts[:5]) is None


def test_a_source_that_is_the_injected_prompt_may_have_no_examples_without_persona(compose):
    cell = Cell(compose("source=qwen_default"))
    (found,) = lint(training_set(cell))
    assert (found.rule, found.level) == ("left_out", "warning")
    assert "none of 100 examples without a persona" in found.message
    contradicting = [
        *cell.data.examples,
        replace(cell.data.examples[-1], role="no_persona", persona="", prompt=Prompt(None, "Hi")),
    ]
    rules = {one.rule for one in lint(training_set(cell, examples=contradicting))}
    assert "default_contradicts" in rules
