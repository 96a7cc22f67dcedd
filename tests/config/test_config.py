"""Every option composes, every field is classified, every wrong value is refused at the border."""

import re

import pytest

from leakage.data.personas import NONE, read_personas, shipped_names
from leakage.errors import ConfigError
from leakage.settings.config import JudgeSettings, SiteSettings, TemplateSettings
from leakage.settings.identity import classified_fields, identity_fields
from leakage.studies.alignment_faking.settings import FakingConfig
from leakage.studies.persona_leakage.behaviors import behavior_names
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.settings import CellConfig
from tests.conftest import ROOT


def options(group):
    return sorted(file.stem for file in (ROOT / "conf" / group).glob("*.yaml"))


def test_every_field_is_part_of_an_identity_or_said_to_be_incidental():
    unclassified = [name for name, identities in classified_fields(FakingConfig).items() if identities is None]
    assert unclassified == []


def test_incidental_fields_are_few_and_known():
    incidental = {name for name, identities in classified_fields(CellConfig).items() if identities == ()}
    assert incidental == {
        "forecast", "predictors",
        "job", "behavior.design", "model.name", "model.path", "model.revision", "model.pool", "model.headline.layer",
        "model.headline.centred", "model.headline.choice", "model.threads", "eval.batch_size", "eval.engine",
        "eval.behavior", "personas.path", "personas.default", "paths.multirun", "device", "plan", "mode", "preflight",
        "planned", "train.checkpoint_s", "train.report_to", "data.capability.path", "data.capability.subset",
        "data.capability.revision",
        "data.misalignment.path", "data.misalignment.opposite", "data.training.path", "behavior.negatives",
        "behavior.inoculated", "eval.margin", "eval.checkpoints",
        "behavior.path", "adapter.path", "adapter.revision", "adapter.train",
        *(f"model.template.{name}" for name in TemplateSettings.model_fields),  # model_identity has them
        *(f"judge.{name}" for name in JudgeSettings.model_fields),
        *(f"site.{name}" for name in SiteSettings.model_fields),
    }  # fmt: skip


def test_identity_fields_are_those_that_are_marked(compose):
    assert "lora.r" in identity_fields(compose(), "train")
    assert "lora.r" not in identity_fields(compose(), "eval")
    assert identity_fields(compose(), "geometry")["model.layers"] == [0, 1]


def test_a_field_that_came_later_is_part_of_an_identity_only_where_it_changes_something(compose):
    assert "train.kl_to_base" not in identity_fields(compose("train.kl_to_base=0"), "train")
    assert identity_fields(compose("control=kl_to_base"), "train")["train.kl_to_base"] == 0.1
    assert "train.kl_to_base" not in identity_fields(compose("control=kl_to_base"), "eval")


def test_an_engine_whose_numbers_are_its_own_is_part_of_the_evaluation_alone(compose):
    fast, reference, vllm = (Cell(compose(f"eval.engine={name}")).ids for name in ("fast", "reference", "vllm"))
    assert fast.evaluation == reference.evaluation
    assert vllm.evaluation == fast.evaluation | {"eval.engine": "vllm"}
    assert (vllm.train, vllm.geometry) == (fast.train, fast.geometry)


def pairs_of_model_and_behavior():
    """All of them; those of two files that have nothing to do with one another only in test-long."""
    for model in options("model"):
        for behavior in options("behavior"):
            telling = model in {"nano", "hf"} or behavior == "refusal"  # nano has files for behaviors of its own
            yield pytest.param(model, behavior, marks=[] if telling else pytest.mark.long)


@pytest.mark.parametrize(("model", "behavior"), pairs_of_model_and_behavior())
def test_every_behavior_composes_with_every_model(compose, behavior, model):
    config = compose(f"behavior={behavior}", f"model={model}", *(["model.path=some/where"] if model == "hf" else []))
    assert config.behavior.name == behavior.removesuffix("_contrastive")
    assert config.model.name == ("where" if model == "hf" else model)


def test_every_behavior_has_a_module_and_a_yaml():
    assert set(options("behavior")) == {*behavior_names(), "misalignment_contrastive", "custom"}


def test_every_persona_and_none_is_a_source(compose):
    from hydra.core.global_hydra import GlobalHydra

    names = [*read_personas().names, *(shipped_names() - set(read_personas().names)), NONE]
    assert sorted(GlobalHydra.instance().config_loader().get_group_options("source")) == sorted(names)
    for name in (*names[:100:20], NONE):
        assert compose(f"source={name}").source.name == name


@pytest.mark.parametrize(
    "group",
    [
        "behavior",
        "data",
        "model",
        "lora",
        "train",
        "eval",
        "judge",
        "control",
        "experiment",
        "debug",
        "hydra/launcher",
        "subject",
        "scenario",
        "queries",
        "arm",
        "reasoning",
    ],
)
def test_every_file_opens_with_the_command_that_uses_it(group):
    for name in options(group):
        text = (ROOT / "conf" / group / f"{name}.yaml").read_text()
        assert re.match(rf"(# @package _global_\n)?# python run.py (-m |--config-name faking )?{group}={name}\b", text)


def test_the_published_setting_is_that_of_the_7b_model(compose):
    config = compose("model=qwen2.5-7b-instruct")
    assert (config.lora.r, config.lora.alpha, config.lora.dropout, config.lora.use_rslora) == (32, 64, 0.05, True)
    assert (config.train.learning_rate, config.train.epochs, config.train.batch_size) == (1e-5, 3, 16)
    assert (config.train.warmup_ratio, config.train.weight_decay, config.train.max_grad_norm) == (0.05, 0.0, 1.0)
    assert (config.eval.samples, config.eval.temperature, config.eval.top_p) == (10, 1.0, 0.95)
    assert Cell(config).ids.headline == "20_raw"
    assert len(Cell(config).data.prompts) == 50
    assert config.model.dtype == "bfloat16"


def test_the_settings_cannot_be_changed(compose):
    with pytest.raises(ValueError, match="frozen"):
        compose().seed = 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.learning_rate=-1", "train.learning_rate=-1.0: Input should be greater than 0"),
        ("train.epochs=0", "train.epochs=0: Input should be greater than or equal to 1"),
        ("eval.engine=slow", "eval.engine=slow: Input should be 'fast', 'reference' or 'vllm'"),
        ("model=hf", "model.path has no value; add it to the command: model.path=…"),
        ("+surplus=1", "surplus=1: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(compose, override, said):
    with pytest.raises(ConfigError) as caught:
        compose(override)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_the_model_lacks_is_refused_before_anything_runs(compose):
    with pytest.raises(ConfigError, match=r"model\.headline\.layer=5 is not among model\.layers=\[0, 1\]"):
        Cell(compose("model.headline.layer=5"))
    with pytest.raises(ConfigError, match="no block 7, its blocks are 0 to 1"):
        Cell(compose("model.layers=[1,7]"))
