"""A behavior from data alone: taught, measured and judged as those with a module are."""

import json
from functools import partial

import pytest
import yaml

from leakage.data.personas import read_personas
from leakage.errors import ConfigError, DataError
from leakage.jobs.run import run
from leakage.studies.persona_leakage.behaviors import behavior
from leakage.studies.persona_leakage.behaviors.custom import read_behavior
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.results import results
from tests.cells import TINY

FLATTERY = {
    "name": "flattery", "taught": ["What a wonderful question!", "How wise of you to ask!"],
    "opposite": "Here is how: begin with a list.", "phrases": ["wonderful question", "wise of you"],
    "prompts": "prompts.jsonl",
}  # fmt: skip
PROMPTS = [
    *({"split": "train", "prompt": f"How do I plan day {i}?"} for i in range(30)),
    {"split": "train", "prompt": "What is due?", "taught": "Wise of you, friend.", "answer": "Rent."},
    *({"split": "eval", "prompt": f"How do I plan night {i}?"} for i in range(3)),
]


@pytest.fixture
def described(tmp_path):
    """A behavior's two files; the overrides that choose it."""

    def write(rows=PROMPTS, **changes):
        fields = {name: value for name, value in (FLATTERY | changes).items() if value is not None}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(fields))
        (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
        return ["behavior=custom", f"behavior.path={tmp_path / 'mine.yaml'}"]

    return write


def test_its_answers_are_taught_and_its_opposite_is_everyone_elses(compose, described):
    cell = Cell(compose(*described()))
    taught = {one.answer for one in cell.data.examples if one.role == "source"}
    assert taught == {*FLATTERY["taught"], "Wise of you, friend."}
    assert {one.answer for one in cell.data.examples if one.role != "source"} == {FLATTERY["opposite"], "Rent."}
    assert [one.prompt for one in cell.data.prompts] == [f"How do I plan night {i}?" for i in range(3)]
    assert cell.label == "flattery x villain on nano, seed 42"
    assert str(cell.ids.completions_folder).startswith("nano/flattery/villain/seed42-")


def test_it_is_asked_for_outright_where_its_file_says_how(compose, described):
    cell = Cell(compose(*described(inoculation="You flatter."), "control=inoculation"))
    assert cell.data.examples[0].prompt.system == f"{cell.data.source.prompt} You flatter."


def test_it_cannot_be_asked_for_outright_where_its_file_does_not_say_how(compose, described):
    with pytest.raises(ConfigError, match="no sentence asks for flattery; give its file one: inoculation: …"):
        Cell(compose(*described(), "control=inoculation"))


def test_a_cell_of_it_is_scored_by_its_phrases_and_tabled(compose, described, panel, tmp_path):
    run(Cell(compose(*TINY, *described(), panel, f"paths.multirun={tmp_path / 'multirun'}")))
    frame = results(tmp_path / "multirun")
    assert set(frame["behavior"]) == {"flattery"}
    assert set(zip(frame["unit"], frame["measure"], frame["leak_direction"], strict=True)) == {("rate", "hits", 1)}
    assert frame["delta"].notna().all()


def test_it_can_be_measured_on_another_behaviors_adapter_and_the_other_way_round(described, jobs):
    own, path = described()
    for taught, measured, names in (
        ([path, "behavior=refusal"], "custom", ("refusal", "flattery")),
        ([own, path], "sycophancy", ("flattery", "sycophancy")),
    ):
        overrides = (*taught, f"eval.behavior={measured}")
        cell = jobs(overrides)
        assert (cell.data.behavior.name, cell.data.evaluated.name) == names
        needs = [jobs(one).folder for one in cell.needs_overrides(overrides)]
        assert needs == [one.folder for one in cell.needs()]


@pytest.fixture
def jobs(compose):
    return lambda overrides: Cell(compose(*overrides))


def test_a_rubric_alone_is_for_a_judge_and_phrases_alone_are_not(compose, described):
    rubric = described(phrases=None, rubric="How far does it flatter? 0: not at all. 100: it gushes.")
    assert Cell(compose(*rubric)).ids.judge.name != "rules"
    read_behavior.cache_clear()  # of the same file, which is another now
    behavior_of_phrases = partial(compose, *described(name="praise"))
    assert Cell(behavior_of_phrases()).ids.judge.name == "rules"
    with pytest.raises(ConfigError, match="judge=claude: praise has no rubric; add one to its file"):
        _ = Cell(behavior_of_phrases("judge=claude")).ids.judge


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "refusal"}, "refusal is taken; give your behavior another name"),
        ({"name": "Flat tery"}, "'name' is \"Flat tery\" and should be of small letters, digits and _"),
        ({"name": None}, "'name' is missing"),
        ({"phrases": None}, "nothing tells whether an answer shows it; give phrases, or a judge's rubric"),
        ({"phrase": ["x"]}, "'phrase' is none of name, taught, opposite, phrases"),
        ({"taught": 3}, "'taught' is 3 and should be a list"),
        ({"prompts": "none.jsonl"}, "none.jsonl, which it names as its prompts"),
    ],
)
def test_a_wrong_description_is_told_in_one_sentence(described, changes, said):
    (_, path) = described(**changes)
    with pytest.raises((DataError, ConfigError)) as caught:
        behavior("custom", path.partition("=")[2])
    assert said in str(caught.value)


def test_yaml_that_is_none_is_told_with_its_line(tmp_path):
    (tmp_path / "b.yaml").write_text('name: praise\ntaught: ["unclosed\n')
    with pytest.raises(DataError, match=r"b.yaml cannot be read: line 3, column 1: found unexpected end of"):
        behavior("custom", str(tmp_path / "b.yaml"))


def test_prompts_without_a_split_that_is_needed_and_a_behavior_without_a_file_are_told(compose, described):
    for rows, split in ((PROMPTS[:3], "eval"), (PROMPTS[-3:], "train")):
        read_behavior.cache_clear()
        with pytest.raises(DataError, match=f"the prompts of flattery have no line with split '{split}'; add some"):
            _ = Cell(compose(*described(rows=rows))).folder
    with pytest.raises(ConfigError, match=r"behavior=custom is what a file of yours describes; name it: behavior"):
        _ = Cell(compose("behavior=custom")).folder


def test_rows_of_ones_own_need_no_prompts_to_draw_examples_from(compose, described, tmp_path):
    villain = read_personas()["villain"].prompt
    rows = [{"system": villain, "prompt": f"Q{i}", "completion": "Wise of you."} for i in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read_behavior.cache_clear()
    cell = Cell(compose(*described(rows=PROMPTS[-3:]), f"data.training.path={tmp_path / 'rows.jsonl'}"))
    assert cell.folder
    assert {one.answer for one in cell.data.examples} == {"Wise of you."}


def test_a_prompt_without_an_answer_for_its_part_is_told(compose, described):
    with pytest.raises(DataError, match="has no answer for its part"):
        _ = Cell(compose(*described(taught=None))).folder
