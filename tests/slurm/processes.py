"""The processes of one private cluster, told by what they carry: an interruption makes pid files stale."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DAEMONS = {"munged", "mariadbd", "slurmdbd", "slurmctld", "slurmscriptd", "slurmd", "slurmstepd"}


def of_cluster(slurm_conf: Path) -> list[int]:
    """Pids of the daemons that were started with this SLURM_CONF and of the jobs they run, and of nobody else.

    Commands of the cluster, and the tests themselves, carry SLURM_CONF too; SLURMD_NODENAME is only in a job.
    """
    mine, found = f"SLURM_CONF={slurm_conf}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            carried = (folder / "environ").read_bytes().split(b"\0")  # of a zombie: nothing
            name = (folder / "comm").read_text().strip()
        except OSError:  # it ended while we looked
            continue
        in_job = any(entry.startswith(b"SLURMD_NODENAME=") for entry in carried)
        if mine in carried and (name in DAEMONS or in_job):
            found.append(int(folder.name))
    return found


def kill_all(slurm_conf: Path) -> None:
    """Kill what belongs to the cluster until nothing is left: what is killed may have been starting something.

    SIGKILL, for nobody will read the state again, and an orderly end takes twelve seconds.
    """

    def none_left() -> bool:
        pids = of_cluster(slurm_conf)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not pids

    until(none_left, f"the processes of {slurm_conf} end")


def guard(slurm_conf: Path) -> "subprocess.Popen[bytes]":
    """Start a process that ends the cluster once this one is gone, however it went: even kill -9 closes a pipe."""
    command = [sys.executable, __file__, str(slurm_conf)]
    quiet = subprocess.DEVNULL  # whoever reads our output need not wait for the guard
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True)


def until(condition: Callable[[], object], meaning: str, seconds: float = 60) -> None:
    """Wait for a condition; TimeoutError says which one did not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain: {meaning}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":  # the guard
    sys.stdin.read()
    kill_all(Path(sys.argv[1]))
