"""A sweep on the private cluster, with what is to go wrong in it."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cells import few_personas
from tests.conftest import ROOT
from tests.slurm.cluster import Cluster
from tests.slurm.processes import until

FAULTS = ROOT / "tests" / "slurm" / "faults"
# every stage, small; only a signal makes a checkpoint
CELL = ["train.max_steps=8", "train.checkpoint_s=1000", "eval.prompts=2", "eval.samples=1"]
LAUNCHER = ["hydra/launcher=slurm_h200", "site.cpus=1", "site.memory_gb=null"]


@dataclass
class Sweep:
    """`python run.py -m …` below one folder of results."""

    cluster: Cluster
    folder: Path

    def __post_init__(self) -> None:
        self.faults.mkdir(exist_ok=True)
        self.common = [*CELL, few_personas(self.folder), f"paths.multirun={self.multirun}"]

    @property
    def multirun(self) -> Path:
        return self.folder / "multirun"

    @property
    def faults(self) -> Path:
        return self.folder / "faults"

    def order(self, source: str, what: str) -> None:
        """Let something go wrong in the training of a source."""
        (self.faults / f"{source}.training").unlink(missing_ok=True)
        (self.faults / source).write_text(what)

    def start(self, *overrides: str, launcher: list[str] = LAUNCHER) -> "subprocess.Popen[str]":
        """Start the sweep and go on."""
        environment = self.cluster.environment() | {"PYTHONPATH": str(FAULTS), "LEAKAGE_FAULTS": str(self.faults)}
        command = [sys.executable, "run.py", "-m", *launcher, *self.common, *overrides]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    def run(self, *overrides: str, launcher: list[str] = LAUNCHER) -> tuple[int, str]:
        """Exit status of a sweep and all it said."""
        return self.end(self.start(*overrides, launcher=launcher))

    def end(self, process: "subprocess.Popen[str]", seconds: float = 240) -> tuple[int, str]:
        """Wait for a sweep to end."""
        said, _ = process.communicate(timeout=seconds)
        return process.returncode, said

    def until_training(self, source: str) -> None:
        """Wait until a source that was ordered to be slow is in the midst of its training."""
        until(lambda: (self.faults / f"{source}.training").exists(), f"{source} trains", seconds=120)
        time.sleep(1.5)

    def hurry(self, source: str) -> None:
        """Let it be slow no longer."""
        (self.faults / source).unlink()

    def job_of(self, source: str, *, seed: int = 42) -> str:
        """SLURM's number of the job of a cell, as the sweep noted it."""
        own = {id for id, folder in self.jobs().items() if f"/{source}/seed{seed}-" in folder}
        return max(own, key=lambda id: [int(part) for part in id.split("_")])

    def jobs(self) -> dict[str, str]:
        """SLURM's number of every job that was submitted, as the sweep noted it, and the job's folder."""
        files = self.multirun.glob(".plans/submitted/*.jsonl")
        lines = [line for file in files for line in file.read_text().splitlines()]
        return {id: folder for line in lines for id, folder in json.loads(line)["jobs"].items()}

    def log_of(self, job: str) -> str:
        """All that a job said, in every start of it."""
        return "".join(path.read_text() for path in self.multirun.glob(f".submitit/{job}/*.out"))

    def manifests(self) -> dict[str, str]:
        """Every finished record, whole: when it was made, by which job, of what."""
        found = self.multirun.rglob("manifest.json")
        return {
            str(path.relative_to(self.multirun)): path.read_text() for path in found if "checkpoint" not in str(path)
        }

    def cluster_python(self, *arguments: str) -> str:
        """What a Python program of the project says."""
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
