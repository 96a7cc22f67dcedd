"""Which process is which: its machine, when it was born, and its job."""

import os
import socket
from functools import lru_cache
from pathlib import Path


def job_id() -> str | None:
    """SLURM's name of this job, as squeue and scancel know it."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


@lru_cache(maxsize=1)
def machine() -> str:
    """Host, boot and process namespace: within these a process number means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux
        return socket.gethostname()


def born(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; "" where only its being there can be told, None if it is dead."""
    try:
        state, *_, started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:20]
        return None if state in {"Z", "X"} else started
    except OSError:
        if Path("/proc/self").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""
