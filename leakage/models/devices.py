"""The GPUs of this machine: which there are, and the one that a job may use."""

import os
import re
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

from leakage.errors import ConfigError

VARIABLE = "CUDA_VISIBLE_DEVICES"


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
    names = visible_gpus()
    if names is None and Path("/dev/nvidiactl").exists():
        os.environ[VARIABLE] = str(place)
    elif names and place < len(names):
        os.environ[VARIABLE] = names[place]
    elif names:
        shown = f"{len(names)} GPU{'s' if len(names) > 1 else ''}"
        raise ConfigError(f"device={device}: {VARIABLE}={os.environ[VARIABLE]} shows {shown}; count from 0")


def visible_gpus() -> list[str] | None:
    """The names in CUDA_VISIBLE_DEVICES as CUDA reads it; None where it is not set, and every GPU is visible.

    The first entry that names no GPU ends the list ("0,-1,1" shows GPU 0), and one that comes twice empties it. Blanks
    do not count. A number ends at its last digit; GPU-… and MIG-… are the long names, which may be cut short.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    names = list(takewhile(bool, map(_name, text.split(","))))
    return names if len(set(names)) == len(names) else []


def _name(entry: str) -> str:
    """The GPU that an entry of the list names; "" for none."""
    number = re.match(r"\+?(\d+)", entry.strip(), re.ASCII)
    return str(int(number[1])) if number else entry.strip() if re.match(r"\s*(GPU|MIG)-.", entry) else ""


def shown_gpus() -> list[str]:
    """The GPUs that a process started here would see, by name; those behind one that is not there it would not."""
    named, machine = visible_gpus(), _machine()
    if named is None or not machine:  # where nobody tells what there is, a name is believed
        return named or list(machine)
    return list(takewhile(lambda name: name.startswith("MIG-") or _find(name, machine), named))


def gpu_memory() -> list[int]:
    """Bytes of each GPU that a process started here would see; a part of one (MIG) tells none, and is left out."""
    machine = _machine()
    seen = {_find(name, machine) for name in shown_gpus()}
    return [size for name, size in machine.items() if name in seen and size]


def _find(name: str, machine: Iterable[str]) -> str:
    """The GPU of this machine that a name means, cut short or not; "" for none, or several."""
    meant = [one for one in machine if one == name or (name.startswith("GPU-") and one.startswith(name))]
    return meant[0] if len(meant) == 1 else ""


def _machine() -> dict[str, int]:
    """Bytes of every GPU of this machine by its number, and by its long name where such names are used; 0: not told."""
    long = any(name.startswith("GPU-") for name in visible_gpus() or [])
    return _query("index") | (_query("uuid") if long else {})


def _query(name: str) -> dict[str, int]:
    command = ["nvidia-smi", f"--query-gpu={name},memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [row for line in done.stdout.splitlines() if len(row := line.split(", ")) == 2]
    return {one: int(size) * 2**20 if size.isdigit() else 0 for one, size in rows}
