"""The 112 personas."""

import csv
from collections import Counter

import pytest

from leakage.data.personas import SHIPPED, read_personas
from leakage.errors import ConfigError, DataError

SHARED_WORDS = {
    "villain": 7, "comedian": 11, "assistant": 4, "software_engineer": 7, "kindergarten_teacher": 8,
}  # fmt: skip


def test_there_are_111_of_the_study_and_the_templates_own():
    personas = read_personas()
    assert len(personas.members) == 112
    assert [one.name for one in personas.members if not one.in_panel] == ["qwen_default"]
    assert Counter(one.category for one in personas.members if one.in_panel) == {
        "original": 11, "professional_peer": 15, "modified_source": 15, "opposite": 10, "hierarchical": 10,
        "intersectional": 10, "cultural_variant": 10, "fictional_exemplar": 10, "domain_adjacent": 10,
        "tone_variant": 5, "unrelated_baseline": 5,
    }  # fmt: skip


def test_every_prompt_is_one_sentence_of_5_to_18_words_and_stands_once():
    prompts = [one.prompt for one in read_personas().members if one.in_panel]
    assert all(prompt.startswith("You are ") and prompt.endswith(".") for prompt in prompts)
    assert all(5 <= len(prompt.split()) <= 18 for prompt in prompts)
    assert all(prompt.count(".") == 1 for prompt in prompts)
    assert len(set(prompts)) == 111


def test_the_prompts_the_method_fixes():
    personas = read_personas()
    assert personas["assistant"].prompt == "You are a helpful assistant."
    assert personas["qwen_default"].prompt == ("You are Qwen, created by Alibaba Cloud. You are a helpful assistant.")


@pytest.mark.parametrize(("source", "count"), SHARED_WORDS.items())
def test_names_that_share_a_word_with_a_source(source, count):
    personas = read_personas()
    sharing = [one for one in personas.members if one.in_panel and one.shares_word(personas[source])]
    assert len(sharing) - 1 == count


def test_names_and_taxonomy_are_the_published_ones(reference):
    with (reference / "personas.csv").open() as stream:
        published = [(row["name"], row["category"], tuple(row["related_to"].split())) for row in csv.DictReader(stream)]
    ours = [(one.name, one.category, one.related_to) for one in read_personas().members if one.in_panel]
    assert ours == published


def test_an_unknown_name_is_answered_with_its_neighbours():
    with pytest.raises(ConfigError, match="unknown persona 'comedien'; nearest: comedian"):
        _ = read_personas()["comedien"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"name": "none", "category": "c", "prompt": "You are x."}', "cannot be called 'none'"),
        (
            '{"name": "Bad Name", "category": "c", "prompt": "You are x."}',
            "'name' is .Bad Name. and should be of small",
        ),
        (SHIPPED.read_text().splitlines()[4], "persona 'librarian' stands twice"),
    ],
)
def test_a_persona_file_is_checked(tmp_path, line, said):
    file = tmp_path / "mine.jsonl"
    file.write_text(SHIPPED.read_text() + line + "\n")
    with pytest.raises(DataError, match=said):
        read_personas(str(file))
