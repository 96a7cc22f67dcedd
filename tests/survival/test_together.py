"""Two sweeps at once, many cells on one machine, and a polite end."""

import json
import os
import re
import shutil
import signal
import subprocess

from tests import programs
from tests.cells import SHORT
from tests.slurm.processes import until
from tests.survival.helpers import tables


def start(*arguments, **environment):
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return programs.start("run.py", *arguments, env=os.environ | environment, **said)


def end(process):
    said, _ = process.communicate(timeout=280)
    return process.returncode, said


def test_two_sweeps_over_the_same_cells_make_each_once(panel, short, tmp_path):
    sweep = ["-m", *SHORT, panel, "source=villain,comedian", f"paths.multirun={tmp_path}"]
    both = [end(process) for process in [start(*sweep), start(*sweep)]]
    assert [code for code, _ in both] == [0, 0]
    said = "\n".join(said for _, said in both)
    for once in ("centroids of", "villain on nano, seed 42: training on", "comedian on nano, seed 42: training on"):
        assert said.count(once) == 1, said
    assert tables(tmp_path) == tables(short)


def test_a_pool_of_two_gpus_never_puts_two_cells_on_one_and_survives_a_kill(panel, short, tmp_path):
    shutil.copytree(short / "nano" / "refusal" / "none", tmp_path / "nano" / "refusal" / "none")
    sources = "villain,comedian"  # with the geometry three jobs, each a cold start
    sweep = ["-m", "hydra/launcher=pool", *SHORT, panel, f"source={sources}", f"paths.multirun={tmp_path}"]
    process = start(*sweep, CUDA_VISIBLE_DEVICES="0,1")
    claims = tmp_path / "nano" / "refusal" / "villain"
    until(lambda: list(claims.glob("*/.claim-*")), "a cell is at work", seconds=120)
    (claim,) = claims.glob("*/.claim-[0-9]*")
    os.kill(json.loads(claim.read_text())["pid"], signal.SIGKILL)
    code, said = end(process)
    assert code == 1
    assert "refusal x villain on nano, seed 42: killed by SIGKILL" in said
    assert "error: 1 of 3 jobs are not done" in said
    busy = {}
    for label, _, gpu in re.findall(r"^[\d:]{8}  (\S.*?): (started on GPU (\d)|done|killed|exit)", said, re.MULTILINE):
        if gpu:
            assert gpu not in busy.values(), said
            busy[label] = gpu
        else:
            del busy[label]
    assert not busy
    code, said = end(start(*sweep, CUDA_VISIBLE_DEVICES="0,1"))
    assert code == 0
    assert "1 of 1 jobs done" in said
    assert tables(short) == tables(tmp_path)


def test_a_job_told_to_end_saves_first_and_goes_on_from_there(panel, short, tmp_path):
    cell = ["-m", *SHORT, "train.checkpoint_s=1000", panel, "source=villain,comedian", f"paths.multirun={tmp_path}"]
    process = start(*cell)
    for line in process.stdout:
        if "training on" in line:
            break
    until(lambda: list(tmp_path.glob("nano/refusal/villain/*/adapter*")) or _step(tmp_path), "training", seconds=60)
    process.send_signal(signal.SIGTERM)
    code, said = end(process)
    assert code == 143
    assert "SIGTERM: what was finished is kept, the same command goes on from there" in said
    assert end(start(*cell))[0] == 0
    assert tables(short) == tables(tmp_path)


def _step(folder):
    """Whether training has begun, as far as the files tell."""
    return list(folder.glob("nano/refusal/villain/*/lint.json"))
