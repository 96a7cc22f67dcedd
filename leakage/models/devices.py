"""The GPUs of this machine: which there are, and the one that a job may use."""

import os
import subprocess
from functools import lru_cache
from pathlib import Path

from leakage.errors import ConfigError


def pick_device(device: str) -> str:
    """The device asked for; "auto" takes a GPU where there is one. Of several GPUs torch then sees that one alone."""
    import torch

    show_one_gpu(device)
    device = "cuda" if device.startswith("cuda") else device
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device={device}: this machine shows no GPU to torch; use device=auto or device=cpu")
    return device


@lru_cache(maxsize=1)
def show_one_gpu(device: str) -> None:
    """Hide all GPUs but the one that `device` means, before torch looks: its trainer would use every one it sees."""
    if device in {"cpu", "mps"}:
        return
    place = int(device.partition(":")[2] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None and Path("/dev/nvidiactl").exists():
        os.environ["CUDA_VISIBLE_DEVICES"] = str(place)
    elif visible and place < len(names := visible.split(",")):
        os.environ["CUDA_VISIBLE_DEVICES"] = names[place]
    elif visible:
        raise ConfigError(f"device={device}: CUDA_VISIBLE_DEVICES={visible} shows {len(names)} GPUs; count from 0")


def gpu_memory() -> list[int]:
    """Bytes of each GPU that a process started here would see."""
    command = ["nvidia-smi", "--query-gpu=index,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [row for line in done.stdout.splitlines() if len(row := line.split(", ")) == 2]
    return [int(size) * 2**20 for index, size in rows if size.isdigit() and _is_visible(index)]


def _is_visible(index: str) -> bool:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible is None or index in visible.split(",")
