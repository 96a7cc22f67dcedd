"""A private SLURM on loopback for tests: accounting, two partitions, several nodes with fake GPUs on one machine."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.slurm.configuration import Ports, configure
from tests.slurm.processes import guard, kill_all, listens, until

DEBIAN_PACKAGE = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "my_print_defaults": "mariadb-client-core",  # mariadb-install-db calls it
}

# What SLURM, its commands and submitit set or read. CUDA_VISIBLE_DEVICES is for the private SLURM alone to set.
OUTER_CLUSTER = (
    *("SLURM", "SBATCH_", "SALLOC_", "SRUN_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_", "SUBMITIT_"),
    *("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
)

USABLE = {"idle", "mixed", "allocated", "completing", "planned"}
INNODB = ("--innodb-log-file-size=8M", "--innodb-flush-method=nosync")  # nothing here need survive a power cut


class ClusterError(Exception):
    """The private cluster, or a command given to it, failed."""


@dataclass(frozen=True)
class Job:
    """An active job, or one task of an active array ("12_3")."""

    id: str
    state: str
    reason: str
    node: str


@dataclass(frozen=True)
class Record:
    """What accounting keeps of one start of a job.

    `state` is without sacct's " by <uid>", `exit_code` is "code:signal", `tres` like "cpu=1,gres/gpu=1,node=1".
    """

    id: str
    state: str
    exit_code: str
    node: str
    tres: str


def missing_programs() -> list[str]:
    """The needed programs that are not installed."""
    return [program for program in DEBIAN_PACKAGE if _find(program) is None]


def how_to_install(programs: list[str]) -> str:
    """One sentence: what is missing, and the command that mends it."""
    packages = " ".join(sorted({DEBIAN_PACKAGE[program] for program in programs}))
    return f"{', '.join(programs)} not installed: apt-get install -y --no-install-recommends {packages}"


class Cluster:
    """A SLURM of its own below one folder, with nodes n1, n2, … and partitions `gpu` (default) and `high`.

    `high` preempts `gpu` by requeueing. Several clusters can be up at once. Needs root, for the devices.
    """

    def __init__(self, folder: Path, *, nodes: int = 2, gpus: int = 8, max_array_size: int = 2001) -> None:
        self.folder = folder.resolve()
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self._gpus, self._max_array_size = gpus, max_array_size
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._ports: Ports

    @property
    def env(self) -> dict[str, str]:
        """What a command needs in its environment to speak to this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def environment(self) -> dict[str, str]:
        """The environment of this process without anything of a cluster it may itself run in, plus `env`."""
        return {name: value for name, value in os.environ.items() if not name.startswith(OUTER_CLUSTER)} | self.env

    def up(self) -> None:
        """Start everything anew; what an interrupted run left in the folder is ended and wiped first.

        The cluster ends with this process at the latest.
        """
        if missing := missing_programs():
            raise ClusterError(how_to_install(missing))
        self._clear()
        self._guard = guard(self.folder / "slurm.conf")
        try:
            self._ports = configure(self.folder, self.nodes, self._gpus, self._max_array_size)
            self._start_munge()
            self._start_accounting()
            self._start("slurmctld", "slurmctld", "-D", ready=lambda: listens(self._ports.slurmctld))
            for node in self.nodes:
                self.start_slurmd(node)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """End every daemon and every job of this cluster; the logs stay."""
        kill_all(self.folder / "slurm.conf")
        for daemon in self._daemons.values():
            daemon.wait()
        self._daemons.clear()
        if self._guard is not None:
            self._guard.communicate()  # closes the pipe it waits on
            self._guard = None
        shutil.rmtree(self.folder / "database", ignore_errors=True)

    def run(self, *command: str) -> str:
        """What a command says on stdout; a failure raises with what it said on stderr."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise ClusterError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def jobs(self) -> list[Job]:
        """The jobs that wait, run or are ending, array tasks one by one."""
        lines = self.run("squeue", "--noheader", "--array", "--format=%i|%T|%r|%N").splitlines()
        return [Job(*line.split("|")) for line in lines]

    def accounting(self, *jobs: str, every_start: bool = False) -> list[Record]:
        """What accounting has of these jobs, or of all; with `every_start` one record each time a job was started.

        The records of a job come a moment after the fact.
        """
        options = ["--allocations", "--noheader", "--parsable2", "--starttime=now-7days"]
        options += [f"--jobs={','.join(jobs)}"] * bool(jobs) + ["--duplicates"] * every_start
        rows = self.run("sacct", *options, "--format=JobID,State,ExitCode,NodeList,AllocTRES").splitlines()
        records = [Record(*row.split("|")) for row in rows]
        return [Record(r.id, r.state.split()[0], r.exit_code, r.node, r.tres) for r in records]

    def node_states(self) -> dict[str, str]:
        """State of each node as sinfo has it; at its end "*" means no response, "-" planned for a job that waits."""
        lines = self.run("sinfo", "--noheader", "--Node", "--partition=gpu", "--format=%N %T").splitlines()
        return dict(line.split() for line in lines)

    def kill_slurmd(self, node: str) -> None:
        """kill -9, as when a machine hangs; its jobs go on, and SLURM takes a while to notice."""
        daemon = self._daemons.pop(f"slurmd.{node}")
        daemon.kill()
        daemon.wait()

    def start_slurmd(self, node: str) -> None:
        """Bring a node to work, or back to work, also out of `down`."""

        def ready() -> bool:
            return listens(self._ports.slurmd[node]) and self.node_states()[node].rstrip("-") in USABLE

        self._start(f"slurmd.{node}", "slurmd", "-D", "-N", node, ready=ready)

    def set_node_down(self, node: str) -> None:
        """Tell SLURM what it would find out by itself after half a minute without answer."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def resume_node(self, node: str) -> None:
        """Undo `set_node_down` where slurmd kept running."""
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def _clear(self) -> None:
        kill_all(self.folder / "slurm.conf")
        if self.folder.exists():
            if any(self.folder.iterdir()) and not (self.folder / "slurm.conf").exists():
                raise ClusterError(f"{self.folder} holds other things than a cluster; give an empty folder")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)

    def _start_munge(self) -> None:
        place = self.folder / "munge"
        files = [f"--key-file={place}/key", f"--socket={place}/socket", f"--seed-file={place}/seed"]
        files.append(f"--pid-file={self.folder}/run/munged.pid")
        # --force: munged would not have its socket below a folder that is closed to other users, as pytest's are
        command = ["munged", "--foreground", "--force", "--num-threads=10", *files]
        self._start("munged", *command, ready=(place / "socket").exists)

    def _start_accounting(self) -> None:
        # its own folder for temporary tables: a server that starts removes those of any other in /tmp
        (self.folder / "database" / "tmp").mkdir(parents=True, exist_ok=True)
        data = [f"--datadir={self.folder}/database/data", f"--tmpdir={self.folder}/database/tmp"]
        install = ["mariadb-install-db", "--no-defaults", *data, "--user=root", "--skip-test-db", *INNODB]
        self.run(*install, "--auth-root-authentication-method=normal")
        files = [*data, f"--socket={self.folder}/run/mariadbd.socket", f"--pid-file={self.folder}/run/mariadbd.pid"]
        files.append(f"--init-file={self.folder}/database.sql")
        network = ["--bind-address=127.0.0.1", f"--port={self._ports.mariadbd}", "--skip-name-resolve"]
        small = ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"]
        command = ["mariadbd", "--no-defaults", "--user=root", *files, *network, *small, *INNODB]
        self._start("mariadbd", *command, ready=lambda: listens(self._ports.mariadbd))
        # it looks for slurmdbd.conf beside SLURM_CONF
        self._start("slurmdbd", "slurmdbd", "-D", ready=lambda: listens(self._ports.slurmdbd))

    def _start(self, name: str, program: str, *arguments: str, ready: Callable[[], bool]) -> None:
        """Start a daemon in the foreground, its output in log/<name>.log, and wait until it is ready."""
        path = _find(program)
        assert path is not None, program  # up() has looked
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            daemon = self._daemons[name] = subprocess.Popen(
                [path, *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; they end the cluster
            )
        try:
            until(lambda: daemon.poll() is not None or ready(), f"{name} is ready")
        except (TimeoutError, ClusterError, subprocess.TimeoutExpired) as reason:
            raise ClusterError(f"{name} does not come up: {reason}\n{self._tails()}") from reason
        if daemon.poll() is not None:
            raise ClusterError(f"{name} ended at once with exit code {daemon.returncode}\n{self._tails()}")

    def _tails(self, lines: int = 8) -> str:
        logs = {log: log.read_text(errors="replace") for log in sorted((self.folder / "log").glob("*.log"))}
        return "\n".join("\n".join([f"==> {log} <==", *text.splitlines()[-lines:]]) for log, text in logs.items())


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")  # few users have sbin in PATH
