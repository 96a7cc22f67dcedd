"""What a model takes, and whether it can be had; told from its configuration alone."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from leakage.errors import ConfigError, ModelError
from leakage.models.memory import adapter_bytes, check_reachable, refuse_small_gpus, state_bytes, weights
from tests.conftest import ROOT
from tests.unit.helpers import lora_settings, model_settings
from tests.unit.programs import put_in_path

WEIGHTS = ROOT / "leakage" / "nano" / "weights"
REVISION = "a" * 40
REACH = """
import sys
from leakage.models.memory import adapter_bytes, check_reachable, folder_of
from leakage.errors import LeakageError
from tests.unit.helpers import lora_settings, model_settings
model = model_settings(name="some-model", path="someone/some-model", revision="a" * 40)
print(folder_of(model) is not None, adapter_bytes(model, lora_settings()))
try:
    check_reachable(model)
    print("reachable")
except LeakageError as error:
    print(type(error).__name__, error)
"""


def model_of(folder, *shapes):
    """A model whose weight files hold headers and no data."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    for i, shape in enumerate(shapes):
        tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}
        header = json.dumps({"__metadata__": {"format": "pt"}, f"block.{i}.weight": tensor}).encode()
        file = folder / f"model-{i:05}-of-{len(shapes):05}.safetensors"
        file.write_bytes(len(header).to_bytes(8, "little") + header + b"0" * 4)
    return str(folder)


def test_the_parameters_of_a_model_are_those_in_the_headers_of_its_files(tmp_path):
    assert weights(model_settings(path=model_of(tmp_path / "a", [2, 3], [5]))) == 11


def test_a_weight_file_without_a_whole_header_is_named(tmp_path):
    path = model_of(tmp_path / "a", [2, 3])
    (tmp_path / "a" / "model-00000-of-00001.safetensors").write_bytes(b"1234567890")
    with pytest.raises(ModelError, match=r"model-00000-of-00001\.safetensors is cut off"):
        weights(model_settings(path=path))


def test_the_parameters_of_the_embedded_model_are_those_of_its_file(nano):
    model, _ = nano
    assert weights(model_settings()) == sum(one.numel() for one in model.parameters())


@pytest.mark.parametrize("r", [4, 32])
def test_an_adapter_takes_what_peft_writes(tmp_path, r):
    """All but the few kilobytes in which the file names its tensors."""
    from peft import get_peft_model

    from leakage.models.adapter import lora_config
    from leakage.models.load import load_base

    lora = lora_settings(r=r)
    get_peft_model(load_base(model_settings(), "cpu"), lora_config(lora)).save_pretrained(tmp_path)
    written = (tmp_path / "adapter_model.safetensors").read_bytes()
    names = 8 + int.from_bytes(written[:8], "little")
    assert adapter_bytes(model_settings(), lora) == len(written) - names
    assert names < 0.06 * len(written)


def test_centroids_of_a_persona_take_a_float_for_every_layer_and_dimension():
    width = json.loads((WEIGHTS / "config.json").read_text())["hidden_size"]
    assert state_bytes(model_settings()) == 2 * width * 4
    assert state_bytes(model_settings(layers=(0,))) == width * 4


def test_a_model_in_a_folder_can_be_had(tmp_path):
    check_reachable(model_settings())
    shutil.copytree(WEIGHTS, tmp_path / "copy")
    check_reachable(model_settings(path=str(tmp_path / "copy")))
    with pytest.raises(ConfigError, match="no model in"):
        check_reachable(model_settings(path=str(tmp_path / "nowhere")))


def reach(tmp_path, **environment):
    """What another process says of a model on the hub, whose cache is below tmp_path."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    clean |= {"HF_HOME": str(tmp_path / "hub"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", REACH], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def test_a_hub_model_that_is_not_here_is_refused_in_one_sentence_where_there_is_no_internet(tmp_path):
    sized, *said = reach(tmp_path, HF_HUB_OFFLINE="1")
    assert sized == "False 0"
    (sentence,) = said
    assert sentence.startswith("ModelError someone/some-model is not in the hub's cache and cannot be fetched (")
    assert sentence.endswith("give model.path a folder with a copy, or fetch it where there is internet")


def test_a_hub_that_does_not_answer_is_asked_once_for_a_configuration(tmp_path):
    """A download would try again for half a minute, and say so each time."""
    reads = "from leakage.models.fingerprint import text_config; text_config('someone/some-model', None)"
    nowhere = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", reads], cwd=ROOT, env=nowhere, capture_output=True, text=True, timeout=60
    )
    assert "ModelError: someone/some-model is not in the hub's cache and cannot be fetched (" in done.stderr
    assert "Retrying" not in done.stdout + done.stderr


@pytest.mark.parametrize(("name", "is_whole"), [("model.safetensors", True), ("tokenizer.json", False)])
def test_a_hub_model_in_the_cache_can_be_had_without_internet(tmp_path, name, is_whole):
    cached = tmp_path / "hub" / "hub" / "models--someone--some-model" / "snapshots" / REVISION
    cached.mkdir(parents=True)
    shutil.copy(WEIGHTS / "config.json", cached)
    shutil.copy(WEIGHTS / name, cached)
    sized, said = reach(tmp_path, HF_HUB_OFFLINE="1")
    assert sized == f"True {adapter_bytes(model_settings(), lora_settings()) if is_whole else 0}"
    assert (said == "reachable") is is_whole


@contextmanager
def hub(status):
    """A hub of our own that gives one answer to everything."""
    paths = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            body = json.dumps({"id": "someone/some-model", "siblings": []} if status == 200 else {"error": "no"})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "beginning"), [(200, "reachable"), (404, "ModelError someone/some-model is not")])
def test_a_hub_that_answers_is_asked_for_the_very_revision(tmp_path, status, beginning):
    with hub(status) as (address, paths):
        _, said = reach(tmp_path, HF_ENDPOINT=address, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    assert said.startswith(beginning)
    assert f"/api/models/someone/some-model/revision/{REVISION}" in paths


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Makes a program of that name say what it is told to."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def says(text, code=0):
        script = f"echo \"$@\" > {tmp_path}/asked\nprintf '{text}'\nexit {code}"
        put_in_path(tmp_path / "bin", monkeypatch, "nvidia-smi", script)

    return says


@pytest.fixture
def large(tmp_path):
    """Settings of a model with 7.6 thousand million parameters."""
    folder = model_of(tmp_path / "large", [76_156, 100_000])
    return lambda **changes: model_settings(
        **({"name": "large", "path": folder, "dtype": "bfloat16", "inference_dtype": "bfloat16"} | changes)
    )


def test_a_model_larger_than_the_smallest_gpu_is_refused(nvidia_smi, large):
    nvidia_smi("0, 143771\\n1, 8192\\n")
    with pytest.raises(ModelError) as caught:
        refuse_small_gpus(large())
    assert str(caught.value) == (
        "large takes 14.2 GiB for its weights alone, and a GPU here has 8.0 GiB; use a larger one, a smaller model or "
        "device=cpu"
    )
    refuse_small_gpus(model_settings())


def test_the_wider_of_the_two_number_formats_must_fit(nvidia_smi, large):
    nvidia_smi("0, 20480\\n")
    refuse_small_gpus(large())
    for wide in ({"dtype": "float32"}, {"inference_dtype": "float32"}):
        with pytest.raises(ModelError, match=r"28\.4 GiB"):
            refuse_small_gpus(large(**wide))


def test_nothing_is_refused_where_no_gpu_or_no_configuration_is_seen(nvidia_smi, large, monkeypatch, tmp_path):
    nvidia_smi("0, 1\\n")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert refuse_small_gpus(model_settings(path="someone/some-model-that-nobody-has")) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert refuse_small_gpus(large()) is None
