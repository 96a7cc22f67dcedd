"""The GPUs that a process sees, and the one that it computes on."""

import os
from pathlib import Path

import pytest

from leakage.errors import ConfigError
from leakage.models.devices import gpu_memory, pick_device, show_one_gpu, shown_gpus, visible_gpus
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


@pytest.mark.parametrize(
    ("visible", "read"),
    [
        (None, None), ("", []), ("0", ["0"]), ("0,1", ["0", "1"]), ("0, 1", ["0", "1"]), (" 2 ,\t0 ", ["2", "0"]),
        ("-1", []), ("0,-1,1", ["0"]), ("0,,1", ["0"]), (",0", []), ("0,", ["0"]), ("0,x,1", ["0"]), ("NoDevFiles", []),
        ("none", []), ("all", []), ("0,0", []), ("0,1, 0", []), ("0,00", []), ("0,-1,0", ["0"]), ("01,+2", ["1", "2"]),
        ("1gpu,2", ["1", "2"]), ("0 1", ["0"]), ("GPU-ab, GPU-cd", ["GPU-ab", "GPU-cd"]), ("GPU-ab,GPU-ab", []),
        ("MIG-ab,MIG-GPU-cd/1/0", ["MIG-ab", "MIG-GPU-cd/1/0"]), ("GPU-ab,-1,GPU-cd", ["GPU-ab"]), ("GPU-", []),
        ("gpu-ab", []), ("2,3,GPU-5e1f", ["2", "3", "GPU-5e1f"]),
    ],
)  # fmt: skip
def test_the_list_of_gpus_is_read_as_cuda_reads_it(environment, visible, read):
    if visible is not None:
        environment.setenv(SHOWN, visible)
    assert visible_gpus() == read


@pytest.mark.parametrize(
    "visible", ["0", "0,1", "1, 0", "0,-1,1", "0,0", "", "-1", "0,x", "1gpu,2", "0,,1", "0 1", "01"]
)
def test_torch_reads_the_list_alike(environment, visible):
    """As many GPUs as torch counts before it starts CUDA; more than there are it cannot know of either."""
    from torch.cuda import _parse_visible_devices

    environment.setenv(SHOWN, visible)
    assert [str(number) for number in _parse_visible_devices()] == visible_gpus()


@pytest.mark.parametrize(
    ("device", "visible", "left"),
    [
        ("cuda:1", "0, 1", "1"), ("auto", " 3 , 4", "3"), ("cuda:1", "GPU-ab, MIG-cd", "MIG-cd"),
        ("auto", "0,0", "0,0"), ("auto", "-1", "-1"), ("cuda:1", "-1", "-1"),
    ],
)  # fmt: skip
def test_the_gpu_left_visible_is_one_that_cuda_sees(environment, device, visible, left):
    environment.setenv(SHOWN, visible)
    show_one_gpu(device)
    assert os.environ[SHOWN] == left


def test_a_gpu_behind_an_entry_that_is_none_is_not_shown(environment):
    environment.setenv(SHOWN, "4,-1,5")
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES=4,-1,5 shows 1 GPU; count from 0"):
        show_one_gpu("cuda:1")


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
    ("visible", "gigabytes"),
    [
        ("0,1,2", [1, 2, 3]), ("2,0", [1, 3]), ("1", [2]), ("", []), ("-1", []), ("10", []), ("0, 1", [1, 2]),
        ("0,9,1", [1]), ("9,0", []), ("0,-1,1", [1]), ("1,1", []), ("MIG-ab", []), ("MIG-ab,0", [1]),
        ("0,GPU-x,1", [1]),
    ],
)  # fmt: skip
def test_gpus_that_are_hidden_do_not_count(nvidia_smi, monkeypatch, visible, gigabytes):
    nvidia_smi("0, 1024\\n1, 2048\\n2, 3072\\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_memory() == [size * 2**30 for size in gigabytes]


def test_a_gpu_that_tells_no_size_is_passed_over(nvidia_smi):
    nvidia_smi("0, [N/A]\\n1, 1024\\n")
    assert gpu_memory() == [2**30]
    assert shown_gpus() == ["0", "1"]


@pytest.mark.parametrize(
    ("visible", "gigabytes", "shown"),
    [
        ("GPU-cd34", [2], ["GPU-cd34"]), ("GPU-cd, GPU-ab12", [1, 2], ["GPU-cd", "GPU-ab12"]),
        ("1,GPU-ab12", [2, 1], ["1", "GPU-ab12"]), ("GPU-99,GPU-ab12", [], []), ("GPU-ab,GPU-99,1", [1], ["GPU-ab"]),
        ("GPU-cd,MIG-ef", [2], ["GPU-cd", "MIG-ef"]),
    ],
)  # fmt: skip
def test_gpus_may_be_named_by_their_long_names_cut_short(tmp_path, monkeypatch, visible, gigabytes, shown):
    says = (
        "case \"$1\" in *uuid*) printf 'GPU-ab12, 1024\\nGPU-cd34, 2048\\n';; *) printf '0, 1024\\n1, 2048\\n';; esac"
    )
    put_in_path(tmp_path / "bin", monkeypatch, "nvidia-smi", says)
    monkeypatch.setenv(SHOWN, visible)
    assert gpu_memory() == [size * 2**30 for size in gigabytes]
    assert shown_gpus() == shown


def test_no_gpu_is_seen_where_nvidia_smi_fails_or_is_not_there(nvidia_smi, tmp_path, monkeypatch):
    nvidia_smi("No devices were found\\n", code=6)
    assert gpu_memory() == []
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert gpu_memory() == []
