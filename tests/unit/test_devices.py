"""The GPUs that a process sees, and the one that it computes on."""

import os
from pathlib import Path

import pytest

from leakage.errors import ConfigError
from leakage.models.devices import gpu_memory, pick_device, show_one_gpu
from tests.unit.programs import put_in_path

SHOWN = "CUDA_VISIBLE_DEVICES"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What a test changes in os.environ is put back; each starts as a new process does."""
    monkeypatch.setenv(SHOWN, "kept so that it is put back")
    monkeypatch.delenv(SHOWN)
    show_one_gpu.cache_clear()
    yield monkeypatch
    show_one_gpu.cache_clear()


@pytest.mark.parametrize(
    ("device", "visible", "left"),
    [
        ("auto", "4,5", "4"), ("cuda", "4,5", "4"), ("cuda:1", "4,5", "5"), ("cuda:0", "7", "7"), ("auto", "", ""),
        ("cuda:1", "", ""), ("cpu", "4,5", "4,5"), ("mps", "4,5", "4,5"), ("cuda:1", "GPU-ab,GPU-cd", "GPU-cd"),
    ],
)  # fmt: skip
def test_one_gpu_is_left_visible(environment, device, visible, left):
    environment.setenv(SHOWN, visible)
    show_one_gpu(device)
    assert os.environ[SHOWN] == left


def test_asked_again_it_hides_no_more(environment):
    environment.setenv(SHOWN, "4,5,6")
    for _ in range(3):
        show_one_gpu("cuda:2")
    assert os.environ[SHOWN] == "6"


def test_a_gpu_that_is_not_shown_is_refused_in_one_sentence(environment):
    environment.setenv(SHOWN, "4,5")
    with pytest.raises(ConfigError) as caught:
        show_one_gpu("cuda:2")
    assert str(caught.value) == "device=cuda:2: CUDA_VISIBLE_DEVICES=4,5 shows 2 GPUs; count from 0"
    assert os.environ[SHOWN] == "4,5"


def test_without_the_variable_the_first_gpu_is_shown_where_there_is_one():
    show_one_gpu("auto")
    assert os.environ.get(SHOWN) == ("0" if Path("/dev/nvidiactl").exists() else None)


def test_on_the_processor_everything_stays_as_it_was():
    assert pick_device("cpu") == "cpu"
    assert SHOWN not in os.environ


def test_auto_takes_a_gpu_where_there_is_one_and_cuda_insists(environment):
    import torch

    if torch.cuda.is_available():
        assert pick_device("auto") == "cuda"
        show_one_gpu.cache_clear()
        assert pick_device("cuda:0") == "cuda"
    else:
        environment.setenv(SHOWN, "0,1")
        assert pick_device("auto") == "cpu"
        with pytest.raises(ConfigError, match=r"device=cuda: this machine shows no GPU to torch; use device=auto or"):
            pick_device("cuda")


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Makes a program of that name say what it is told to."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def says(text, code=0):
        script = f"echo \"$@\" > {tmp_path}/asked\nprintf '{text}'\nexit {code}"
        put_in_path(tmp_path / "bin", monkeypatch, "nvidia-smi", script)

    return says


def test_gpus_and_their_memory_are_those_of_nvidia_smi(nvidia_smi, tmp_path):
    nvidia_smi("0, 143771\\n1, 81559\\n")
    assert gpu_memory() == [143771 * 2**20, 81559 * 2**20]
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["--query-gpu=index,memory.total", "--format=csv,noheader,nounits"]


@pytest.mark.parametrize(
    ("visible", "gigabytes"), [("0,1,2", [1, 2, 3]), ("2,0", [1, 3]), ("1", [2]), ("", []), ("-1", []), ("10", [])]
)
def test_gpus_that_are_hidden_do_not_count(nvidia_smi, monkeypatch, visible, gigabytes):
    nvidia_smi("0, 1024\\n1, 2048\\n2, 3072\\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_memory() == [size * 2**30 for size in gigabytes]


def test_a_gpu_that_tells_no_size_is_passed_over(nvidia_smi):
    nvidia_smi("0, [N/A]\\n1, 1024\\n")
    assert gpu_memory() == [2**30]


def test_no_gpu_is_seen_where_nvidia_smi_fails_or_is_not_there(nvidia_smi, tmp_path, monkeypatch):
    nvidia_smi("No devices were found\\n", code=6)
    assert gpu_memory() == []
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert gpu_memory() == []
