"""Loading models, and knowing them apart without loading."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from leakage.errors import ConfigError, DataError, ModelError
from leakage.models.fingerprint import fingerprint, headline_layer, locate
from leakage.models.load import check_context, load_base, load_tokenizer
from tests.conftest import ROOT
from tests.unit.helpers import model_settings

WEIGHTS = ROOT / "leakage" / "nano" / "weights"


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(WEIGHTS, folder)
    return folder


def test_a_copy_elsewhere_is_the_same_model(copy):
    assert fingerprint(str(copy), None) == fingerprint("pkg://leakage/nano/weights", None)


def test_another_weight_another_template_another_model(copy):
    original = fingerprint("pkg://leakage/nano/weights", None)
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    fingerprint.cache_clear()
    changed = fingerprint(str(copy), None)
    assert changed != original
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][0] += 1e-3
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    fingerprint.cache_clear()
    assert fingerprint(str(copy), None) not in {original, changed}


def test_large_files_are_told_apart_by_samples_of_their_content(copy, monkeypatch):
    monkeypatch.setattr("leakage.store.files.HASH_WHOLE", 2**18)
    monkeypatch.setattr("leakage.store.files.BLOCK", 2**12)
    fingerprint.cache_clear()
    original = fingerprint(str(copy), None)
    weights = load_file(copy / "model.safetensors")
    weights = {name: weight + 1e-3 for name, weight in weights.items()}  # a fine-tune: the same shapes throughout
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    fingerprint.cache_clear()
    assert fingerprint(str(copy), None) != original
    fingerprint.cache_clear()


def test_a_folder_without_its_tokenizer_is_refused(copy):
    """transformers would make an empty one, and every completion would be empty."""
    (copy / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="turns text into nothing"):
        load_tokenizer(model_settings(path=str(copy)))


def test_a_prompt_longer_than_the_models_positions_is_refused():
    check_context(model_settings(), 256, "it")
    with pytest.raises(DataError, match="it takes 257 tokens, but the model has 256 positions"):
        check_context(model_settings(), 257, "it")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_config_is_named(copy, text):
    (copy / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json"):
        headline_layer(model_settings(path=str(copy)))


def test_a_hub_id_is_told_apart_by_its_revision():
    assert locate("Qwen/Qwen2.5-7B-Instruct") == "Qwen/Qwen2.5-7B-Instruct"
    assert fingerprint("Qwen/Qwen2.5-7B-Instruct", "abc") == "Qwen/Qwen2.5-7B-Instruct@abc"


def test_a_checkpoint_that_lacks_a_tensor_is_refused(copy):
    """transformers would fill it with random numbers and go on."""
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors, model\.layers\.1\.mlp\.up_proj\.weight first"):
        load_base(model_settings(path=str(copy)), "cpu")


def test_other_stop_tokens_are_another_model(copy):
    plain = fingerprint(str(copy), None)
    fingerprint.cache_clear()
    config = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": [2, 5]}))
    assert fingerprint(str(copy), None) != plain


def test_pickled_weights_are_not_loaded(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="only safetensors are loaded"):
        fingerprint(str(copy), None)


def test_layers_are_checked_from_the_config_alone(copy):
    (copy / "model.safetensors").unlink()
    headline_layer(model_settings(path=str(copy)))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.raises(ConfigError, match="no block 1"):
        headline_layer(model_settings(path=str(copy)))
