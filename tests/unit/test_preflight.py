"""What is refused before anything is launched: no room, no model, no key."""

import errno
import os
import shutil
import subprocess
import sys
from signal import SIGKILL
from unittest.mock import Mock

import pytest

from leakage.errors import SweepError
from leakage.jobs.plan import make_plan
from leakage.jobs.preflight import bytes_needed, preflight, unfit
from leakage.models.memory import adapter_bytes, state_bytes
from leakage.training.train import CHECKPOINT
from tests import programs
from tests.conftest import ROOT
from tests.unit.helpers import jobs_composer
from tests.unit.programs import put_in_path

AWAY = "Qwen/Qwen2.5-0.5B-Instruct"


@pytest.fixture
def jobs(compose):  # noqa: ARG001  # it keeps Hydra initialised
    """The jobs of a sweep of one or more cells, with their needs."""
    job = jobs_composer()
    return lambda multirun, *cells: make_plan([(*one, f"paths.multirun={multirun}") for one in cells], job).jobs


@pytest.fixture
def sweep(tmp_path):
    """A sweep as a user starts it, without keys; without internet where that matters; results go below
    tmp_path/multirun."""

    def run(*arguments, offline=False, mode=("-m",)):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
        if offline:  # with a start of its own, for all that is read at import
            clean = {name: value for name, value in clean.items() if not name.startswith("HF_")}
            clean |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
        return programs.run("run.py", *mode, *arguments, f"paths.multirun={tmp_path / 'multirun'}", env=clean)

    return run


def started(multirun):
    """The folders in which a job has begun."""
    return [path for path in multirun.glob("*") if not path.name.startswith(".")] if multirun.exists() else []


def test_a_model_that_cannot_be_had_is_refused_before_anything_is_launched(sweep, tmp_path):
    done = sweep("model=qwen2.5-0.5b-instruct", "source=villain,comedian", offline=True)
    assert done.returncode == 1
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert sentence.startswith(f"error: {AWAY} is not in the hub's cache and cannot be fetched (")
    assert sentence.endswith("(preflight=warn launches all the same)")
    assert "Traceback" not in done.stdout + done.stderr
    assert not started(tmp_path / "multirun")


def test_a_cell_alone_of_a_model_that_cannot_be_had_is_not_planned(sweep, tmp_path):
    """Else `status` would tell of it for ever, under ids that the model may not have once it is here."""
    done = sweep("model=qwen2.5-0.5b-instruct", offline=True, mode=())
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {AWAY} is not in the hub's cache and cannot be fetched (")
    assert not list((tmp_path / "multirun").rglob("*.json*"))


def test_a_judge_without_its_key_is_refused_and_launched_all_the_same_when_told_to(sweep, tmp_path):
    mine = tmp_path / "mine.jsonl"  # few personas, so that it takes seconds
    shipped = (ROOT / "leakage" / "data" / "personas" / "personas.jsonl").read_text().splitlines(keepends=True)
    mine.write_text("".join(line for line in shipped if '"original"' in line))
    arguments = ["debug=tiny", f"personas.path={mine}", "judge=claude", "judge.max_usd=1"]
    refused = sweep(*arguments)
    assert refused.returncode == 1
    sentence = refused.stderr.splitlines()[-1]
    assert sentence.startswith("error: 2 jobs have answers to be judged, but ANTHROPIC_API_KEY is not set; ")
    assert not started(tmp_path / "multirun")
    warned = sweep(*arguments, "preflight=warn")
    said = warned.stdout + warned.stderr
    assert "preflight: 2 jobs have answers to be judged, but ANTHROPIC_API_KEY is not set" in said
    assert len(list((tmp_path / "multirun").rglob("completions.parquet"))) == 2
    assert len(list((tmp_path / "multirun").rglob("adapter_model.safetensors"))) == 1
    assert not list((tmp_path / "multirun").rglob("verdicts.parquet"))
    assert warned.returncode == 1
    assert "2 of 3 jobs are not done" in warned.stderr.splitlines()[-1]


def test_a_key_without_money_is_no_judge_either(jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    with pytest.raises(SweepError, match=r"2 jobs have answers .*, but judge\.max_usd=0 allows no question; set it"):
        preflight(jobs(tmp_path / "multirun", ("judge=claude",)), refuse=True, here=True)
    preflight(jobs(tmp_path / "multirun", ("judge=claude", "judge.max_usd=1")), refuse=True, here=True)


def test_all_that_is_wrong_is_told_at_once(jobs, tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    nowhere = jobs(tmp_path / "multirun", ("model=qwen2.5-0.5b-instruct", "model.path=a/b", "judge=claude"))
    with pytest.raises(SweepError) as caught:
        preflight(nowhere, refuse=True, here=True)
    told = str(caught.value)
    assert told.index("a/b") < told.index("; and 1 more: 2 jobs have answers to be judged, but ANTHROPIC_API_KEY")
    assert told.count("preflight=warn launches all the same") == 1
    caplog.clear()
    preflight(nowhere, refuse=False, here=True)
    assert [one.message.partition(" ")[0] for one in caplog.records].count("preflight:") == 2


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "leakage-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system; the test fills one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_an_engine_that_is_not_installed_or_lacks_the_dtype_is_refused(jobs, tmp_path, monkeypatch):
    def wrong(*overrides):
        return list(unfit([one.job for one in jobs(tmp_path, ["eval.engine=vllm", *overrides])]))

    copy = f"model.path={ROOT / 'leakage/nano/weights'}"  # which the house takes for anybody's
    missing, wide = wrong(copy)
    assert missing == "eval.engine=vllm: vLLM is not installed here; docs/models.md says how, or leave out eval.engine"
    assert wide.endswith("it has no float64, in which nano is asked; add model.inference_dtype=float32")
    assert wrong(copy, "job=geometry", "source=none") == []  # vLLM gives no hidden states
    assert wrong() == ["eval.engine=vllm: nano is none of vLLM's models (its heads are 24 wide); leave out eval.engine"]
    monkeypatch.setattr("leakage.models.check.find_spec", lambda name: name)
    assert wrong(copy, "model.inference_dtype=float32") == []


def test_a_disk_without_room_is_refused(small_disk, jobs):
    """Twenty adapters of 0.5 MiB, 1 MiB free; the folder of results is not there yet."""
    wanted = jobs(small_disk / "new" / "multirun", *[(f"seed={seed}",) for seed in range(20)])
    with pytest.raises(SweepError) as caught:
        preflight(wanted, refuse=True, here=True)
    mib = bytes_needed(wanted) / 2**20
    assert mib > 8
    told = f"about {mib:.1f} MiB will be written below {small_disk}, where 1.0 MiB are free; make room"
    assert str(caught.value) == f"{told} (preflight=warn launches all the same)"
    assert not list(small_disk.iterdir())


def test_a_disk_with_room_is_not(small_disk, jobs):
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    preflight(jobs(small_disk / "multirun", ("seed=1",)), refuse=True, here=True)
    assert not list(small_disk.iterdir())


def test_what_is_needed_is_never_taken_to_try(small_disk, jobs, monkeypatch):
    """Fifty MiB to write on a disk of 100: no more than one is ever taken, and nobody is asked to set any aside."""
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    put_in_path(small_disk / "bin", monkeypatch, "fallocate", f"echo asked > {small_disk}/asked")
    sync, taken = os.fsync, []
    monkeypatch.setattr(
        "leakage.store.room.os.fsync", lambda file: (sync(file), taken.append(shutil.disk_usage(small_disk).used))
    )
    wanted = jobs(small_disk / "multirun", *[(f"seed={seed}",) for seed in range(80)])
    assert bytes_needed(wanted) > 40 * 2**20
    preflight(wanted, refuse=True, here=True)
    assert 2**20 <= max(taken) < 2 * 2**20
    assert [path.name for path in small_disk.iterdir()] == ["bin"]


def test_what_is_written_to_try_is_gone_with_a_process_that_is_killed(small_disk):
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    killed = "os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL); lacking(Path(sys.argv[1]), 50 * 2**20)"
    code = f"import os, signal, sys; from pathlib import Path; from leakage.store.room import lacking; {killed}"
    assert subprocess.run([sys.executable, "-c", code, str(small_disk)], cwd=ROOT, check=False).returncode == -SIGKILL
    assert not list(small_disk.iterdir())
    assert shutil.disk_usage(small_disk).used == 0


def test_a_disk_that_has_room_and_takes_no_file_is_refused(small_disk, jobs):
    subprocess.run(["mount", "-o", "remount,size=100m,nr_inodes=1", str(small_disk)], check=True)
    told = f"^about .* will be written below {small_disk}, where No space left on device; make room"
    with pytest.raises(SweepError, match=told):
        preflight(jobs(small_disk / "multirun", ("seed=1",)), refuse=True, here=True)


def test_a_quota_that_only_writing_meets_is_refused(jobs, tmp_path, monkeypatch):
    """As a network disk speaks once a quota is used up; no file system here has quotas."""
    refused = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    monkeypatch.setattr("leakage.store.room.os.fsync", Mock(side_effect=refused))
    told = f"about .* will be written below {tmp_path}, where Disk quota exceeded; make room"
    with pytest.raises(SweepError, match=told):
        preflight(jobs(tmp_path / "multirun", ("seed=1",)), refuse=True, here=True)
    assert not list(tmp_path.iterdir())


QUOTA = """Disk quotas for user someone (uid 1234):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
 server:/export {}      12       0       0
"""
LUSTRE = "/a/name/that/takes/a/line\n                {}      12       0       0       -\n"


@pytest.mark.parametrize(("program", "text"), [("quota", QUOTA), ("lfs", LUSTRE)], ids=["quota", "lfs"])
@pytest.mark.parametrize(
    ("blocks", "left"),
    [
        ("1000 0 1100 -", "0.1 MiB"), ("1000* 900 1100 6days", "0.1 MiB"), ("2000* 900 1100 none", "0.0 MiB"),
        ("1000 1200 0 -", "0.2 MiB"), ("1000 0 0 -", None), ("1000 0 9000000 -", None), ("[1000] 0 1100 -", None),
    ],
)  # fmt: skip
def test_a_quota_that_a_program_tells_is_held_against_what_is_needed(
    jobs, tmp_path, monkeypatch, program, text, blocks, left
):
    (tmp_path / "says").write_text(text.format(blocks))
    put_in_path(tmp_path / "bin", monkeypatch, program, f'echo "$@" >> {tmp_path}/asked; cat {tmp_path}/says; exit 1')
    wanted = jobs(tmp_path / "multirun", ("seed=1",))
    if left is None:
        preflight(wanted, refuse=True, here=True)
    else:
        told = f"about .* will be written below {tmp_path}, where your quota leaves {left}; make room"
        with pytest.raises(SweepError, match=told):
            preflight(wanted, refuse=True, here=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    mount = next(str(path) for path in (tmp_path, *tmp_path.parents) if path.is_mount())
    of = {"quota": f"-w -u --filesystem={mount}", "lfs": f"quota -q -u {os.getuid()} {mount}"}[program]
    assert asked[0] == of
    assert asked[1] == of.replace("-u", "-g").replace(f" {os.getuid()} ", f" {os.getgid()} ")


@pytest.mark.parametrize(
    "script", ["exit 1", "echo 'Disk quotas for user someone (uid 1234): none'", "sleep 1; echo 1"]
)
def test_a_disk_of_which_nobody_tells_a_quota_refuses_nothing(jobs, tmp_path, monkeypatch, caplog, script):
    for program in ("quota", "lfs"):
        put_in_path(tmp_path / "bin", monkeypatch, program, script)
    preflight(jobs(tmp_path / "multirun", ("seed=1",)), refuse=False, here=True)
    assert "will be written below" not in caplog.text


def test_what_will_be_written_is_adapters_answers_and_centroids(jobs, tmp_path):
    """Two cells with a baseline of 112 x 20 x 2 answers of 48 tokens each; one checkpoint at a time beside them."""
    made = jobs(tmp_path / "multirun", ("source=villain",), ("source=comedian",))
    config = made[0].job.config
    adapter = adapter_bytes(config.model, config.lora)
    answers = 112 * 20 * 2 * 48 * 2
    expected = (2 + CHECKPOINT) * adapter + 3 * answers + 112 * state_bytes(config.model)
    assert adapter > 0
    assert bytes_needed(made) == expected


def test_code_that_is_not_committed_is_told_of_and_refuses_nothing(jobs, tmp_path, monkeypatch, caplog):
    from leakage.jobs import preflight as module

    made = jobs(tmp_path / "multirun", ("seed=1",))
    for dirty in (True, False, None):
        caplog.clear()
        monkeypatch.setattr(module, "git_state", lambda dirty=dirty: (("commit", "abc"), ("dirty", dirty)))
        preflight(made, refuse=True, here=True)
        assert ("uncommitted changes" in caplog.text) is bool(dirty)
