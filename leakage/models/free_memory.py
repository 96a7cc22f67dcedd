"""How much memory is free: of a GPU, of this machine, and of what a cluster or a container lets its jobs have of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

# below the root: where Linux has its control groups of two kinds, and the files that tell limit, use and, in
# memory.stat, what of that use is only kept from the disk
V1 = ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")


def free_memory(device: Any) -> int:
    """Bytes that this process may still take on a torch device."""
    import psutil
    import torch

    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + held
    return min([int(psutil.virtual_memory().available), *allowed()])


def allowed(root: Path = Path("/")) -> Iterator[int]:
    """Bytes that each control group of this process has left, those around it among them; nothing where none limits it.

    root: of the file system
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, *files = V1 if controllers else V2
        group = root / mount / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root / mount) and (left := _left(folder, *files)) is not None:
                yield left


def _left(folder: Path, limit: str, use: str, reclaimable: str) -> int | None:
    """None where the group has no limit, or is not to be seen from within a container."""
    try:
        most, taken = int((folder / limit).read_text()), int((folder / use).read_text())
        parts = dict(line.split(maxsplit=1) for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, most - taken + int(parts.get(reclaimable, 0)))
    except (OSError, ValueError):
        return None
