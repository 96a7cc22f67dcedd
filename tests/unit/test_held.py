"""Jobs of one process share the loaded base model, as long as it is what was loaded."""

import copy
from types import SimpleNamespace

import pytest
import torch

from leakage.engine import engine_for
from leakage.models import held
from leakage.models.adapter import attached, fresh
from leakage.models.chat import Prompt
from leakage.models.check import Probes
from leakage.models.held import keep, load_pair
from leakage.models.load import for_inference
from tests.unit.helpers import lora_settings, model_settings

QUESTION = Prompt("You are a villain.", "Where do I begin?")


@pytest.fixture(autouse=True)
def nothing_held():
    held._held.clear()
    yield
    held._held.clear()


def job(**changes):
    return SimpleNamespace(
        model=model_settings(**{"inference_dtype": "float32"} | changes), device="cpu",
        eval=SimpleNamespace(engine="fast", batch_size=8),
    )  # fmt: skip


def loaded(config):
    return load_pair(config, "test", Probes())[0]


def saved_adapter(base, folder):
    model = fresh(base, lora_settings())
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    model.save_pretrained(folder)
    model.unload()
    return folder


def test_the_next_job_is_handed_the_base_as_it_was_loaded(tmp_path):
    config = job()
    base = loaded(config)
    weights = copy.deepcopy(base.state_dict())
    adapter = saved_adapter(base, tmp_path)
    template = load_pair(config, "test", Probes())[1]
    (tokens,) = template.prompts([QUESTION])

    def asked(model):
        engine = engine_for(config, model, template)
        return engine.choice_logprobs([tokens], [range(50)], progress=lambda _: None)[0]

    plain = asked(base)
    with attached(base, adapter) as model:
        assert abs(asked(model) - plain).max() > 0.01
    keep(base, config, adapted=True)
    again = loaded(config)
    assert again is base
    assert again.state_dict().keys() == weights.keys()
    assert all(torch.equal(again.state_dict()[name], weight) for name, weight in weights.items())
    assert (asked(again) == plain).all()


def test_a_base_that_was_widened_comes_back_in_its_own_dtype():
    config = job(inference_dtype="float64")
    base = loaded(config)
    weights = copy.deepcopy(base.state_dict())
    keep(for_inference(base, config.model), config)
    again = loaded(config)
    assert again is base
    assert all(torch.equal(again.state_dict()[name], weight) for name, weight in weights.items())


def test_a_failure_leaves_nothing_to_share():
    base = loaded(job())
    assert loaded(job()) is not base  # the first job has never given it back


@pytest.mark.parametrize(
    ("changes", "adapted"),
    [({"inference_dtype": "bfloat16"}, False), ({"inference_dtype": "float64"}, True)],
    ids=["narrowed", "merged"],
)
def test_a_base_that_lost_what_it_was_is_loaded_again(changes, adapted):
    config = job(**changes)
    base = loaded(config)
    keep(base, config, adapted=adapted)
    assert loaded(config) is not base


def test_another_dtype_is_another_model():
    base = loaded(job())
    keep(base, job())
    assert loaded(job(dtype="bfloat16")) is not base
    assert not held._held
