"""What can be wrong with a model's files is said in one sentence before anything is computed, and nothing is run."""

import pytest

from leakage.errors import ModelError
from leakage.models.chat import Prompt
from leakage.models.check import Probes
from leakage.models.load import check, describe, load_base
from tests.families.broken import BROKEN, Broken, bring_code, configure, edit
from tests.families.table import named
from tests.unit.helpers import template_settings

ENDLESS = ("closes with another token", "ends are null")
PROBES = Probes(
    (Prompt("You are a helpful assistant.", "Hello"), Prompt("You are a villain.", "Hello")),
    (tuple("ABCD"),),
)


@pytest.fixture
def whole(families):
    return families(named("qwen2"))


def found(folder, **changes):
    family = named("qwen2")
    return check(family.settings(folder, **changes), family.adapter(), PROBES)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_one_sentence_says_what_is_wrong(broken, whole, tmp_path):
    folder = broken.copy(whole, tmp_path / "model")
    sentences = found(folder)
    assert sentences == [broken.sentence.format(path=folder, name="qwen2")]
    assert not (folder / "ran").exists()


def test_the_whole_one_has_nothing_wrong_with_it(whole):
    assert found(whole) == []


def test_a_models_own_code_is_not_run_where_transformers_knows_the_model(whole, tmp_path):
    folder = Broken("", bring_code("qwen2"), "").copy(whole, tmp_path / "model")
    assert found(folder) == []
    load_base(named("qwen2").settings(folder), "cpu")
    assert not (folder / "ran").exists()


def test_a_dropped_system_turn_is_mended_by_folding_it(whole, tmp_path):
    folder = BROKEN[0].copy(whole, tmp_path / "model")
    assert found(folder, template=template_settings(system="user")) == []


def test_an_end_that_no_file_names_can_be_named(whole, tmp_path):
    other_end, ends_are_null = (next(one for one in BROKEN if one.name == name) for name in ENDLESS)
    for broken, stop in ((other_end, "<|endoftext|>"), (ends_are_null, "<|im_end|>")):
        folder = broken.copy(whole, tmp_path / broken.name)
        assert found(folder, template=template_settings(stops=(stop,))) == []


def test_a_template_that_has_a_name_can_be_chosen(whole, tmp_path):
    folder = next(one for one in BROKEN if one.name == "named templates").copy(whole, tmp_path / "model")
    assert found(folder, template=template_settings(arguments={"chat_template": "rag"})) == []
    (sentence,) = found(folder, template=template_settings(arguments={"chat_template": "rga"}))
    assert "has chat templates for rag, tool_use and none for rga; choose one with" in sentence


def test_an_argument_that_the_template_never_asks_for_is_named(whole):
    """Thinking would go on, while its user believes it is off."""
    (sentence,) = found(whole, template=template_settings(arguments={"enable_thinkng": False}))
    assert "never asks for enable_thinkng, so that model.template.arguments.enable_thinkng changes nothing" in sentence
    (sentence,) = found(whole, template=template_settings(arguments={"add_generation_prompt": True}))
    assert sentence == "model.template.arguments.add_generation_prompt is set by the project itself; leave it out"


def test_weights_that_the_config_has_no_place_for_are_refused(whole, tmp_path):
    """A Qwen2 that calls itself a Llama would be loaded without its biases, and answer all the same."""
    folder = Broken("", configure(model_type="llama", architectures=["LlamaForCausalLM"]), "").copy(
        whole, tmp_path / "model"
    )
    with pytest.raises(ModelError, match=r"has no place for \d+ tensors of its weights, .*bias first"):
        load_base(named("qwen2").settings(folder), "cpu")


def test_an_end_that_is_no_token_is_shown_as_a_number(whole, tmp_path):
    folder = Broken("", lambda folder: edit(folder / "generation_config.json", {"eos_token_id": 99_999}), "").copy(
        whole, tmp_path / "model"
    )
    family = named("qwen2")
    assert "(99999)" in describe(family.settings(folder), family.adapter(), PROBES)[2]
