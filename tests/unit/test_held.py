"""Jobs of one process share the loaded base model, as long as it is what was loaded."""

import copy
from types import SimpleNamespace

import pytest
import torch

from leakage.engine import asking
from leakage.models import held
from leakage.models.adapter import fresh
from leakage.models.chat import Prompt
from leakage.models.check import Probes
from leakage.models.held import Loaded
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
    return Loaded(config, "test", Probes())


def saved_adapter(base, folder):
    model = fresh(base, lora_settings())
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    model.save_pretrained(folder)
    model.unload()
    return folder


def test_the_next_job_is_handed_the_base_as_it_was_loaded(tmp_path):
    first = loaded(job())
    weights = copy.deepcopy(first.base.state_dict())
    adapter = saved_adapter(first.base, tmp_path)
    (tokens,) = first.template.prompts([QUESTION])

    def asked(loaded, adapter):
        with asking(loaded, adapter) as engine:
            return engine.choice_logprobs([tokens], [range(50)], progress=lambda _: None)[0]

    plain = asked(loaded(job()), None)
    assert abs(asked(first, adapter) - plain).max() > 0.01
    second = loaded(job())
    assert second.base is first.base
    assert second.base.state_dict().keys() == weights.keys()
    assert all(torch.equal(second.base.state_dict()[name], weight) for name, weight in weights.items())
    assert (asked(second, None) == plain).all()


def test_a_base_that_was_widened_comes_back_in_its_own_dtype():
    config = job(inference_dtype="float64")
    first = loaded(config)
    weights = copy.deepcopy(first.base.state_dict())
    with asking(first, None) as engine:
        assert engine.model.dtype == torch.float64
    second = loaded(config)
    assert second.base is first.base
    assert all(torch.equal(second.base.state_dict()[name], weight) for name, weight in weights.items())


def test_a_failure_leaves_nothing_to_share():
    first = loaded(job())
    with pytest.raises(KeyError), asking(first, None):
        raise KeyError
    assert loaded(job()).base is not first.base


@pytest.mark.parametrize(
    ("changes", "adapted"),
    [({"inference_dtype": "bfloat16"}, False), ({"inference_dtype": "float64"}, True)],
    ids=["narrowed", "merged"],
)
def test_a_base_that_lost_what_it_was_is_loaded_again(changes, adapted, tmp_path):
    first = loaded(job(**changes))
    with asking(first, saved_adapter(first.base, tmp_path) if adapted else None):
        pass
    assert loaded(job(**changes)).base is not first.base


def test_another_dtype_is_another_model():
    first = loaded(job())
    first.keep()
    assert loaded(job(dtype="bfloat16")).base is not first.base
    assert not held._held
