"""Batches are as large as free memory allows, told beforehand: on a CPU nothing tells when it is too late."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from leakage.engine import Request, Sampling
from leakage.engine.fast import FastEngine
from leakage.engine.room import SHARE, room
from leakage.models.free_memory import allowed, free_memory
from tests.families.loaded import load, prompts
from tests.families.table import named

SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=16)
GROUPS = Path("/sys/fs/cgroup/memory")
GIB = 2**30


@pytest.fixture(params=["llama3.1", "qwen2", "gemma3", "gpt2"])
def asked(request, families):
    """A model's template, the model, and prompts."""
    loaded = load(named(request.param), families)
    return loaded.template, loaded.model(), loaded.template.prompts(prompts()[:12])


def test_what_a_token_is_taken_to_keep_is_what_a_cache_has_of_it(asked, monkeypatch):
    _, model, _ = asked
    with torch.inference_mode():
        cache = model(input_ids=torch.tensor([[3, 4, 5, 6]]), use_cache=True).past_key_values
    kept = sum(states.nbytes for layer in cache.layers for states in (layer.keys, layer.values)) // 4
    monkeypatch.setattr("leakage.engine.room.free_memory", lambda _: 10 * 2**20 * kept / SHARE)
    assert room(model, 0, more=2**20) in (9, 10)  # beside so many tokens logits are next to nothing


@pytest.mark.parametrize("sequences", [1, 3])
def test_batches_are_no_larger_than_free_memory_and_the_results_the_same(asked, monkeypatch, sequences, caplog):
    template, model, tokens = asked
    engine = FastEngine(model, template.tokenizer, 8, template.stops)
    rows = []

    def everything():
        rows.clear()
        hook = model.register_forward_pre_hook(
            lambda _, __, inputs: rows.append(len(inputs["input_ids"])), with_kwargs=True
        )
        requests = [Request(ids, ("a", "b")) for ids in tokens]
        made = (
            engine.generate(requests, SAMPLED, progress=lambda _: None),
            np.stack(engine.choice_logprobs(tokens, [[5, 9]] * len(tokens), progress=lambda _: None)),
            engine.hidden_states(tokens, [0, 1], progress=lambda _: None),
        )
        hook.remove()
        return made

    torch.set_num_threads(1)
    texts, *numbers = everything()
    assert max(rows) == 8
    monkeypatch.setattr("leakage.engine.fast.room", lambda *_, **__: sequences)
    caplog.set_level("INFO")
    others, *other_numbers = everything()
    assert max(rows) == sequences
    assert others == texts
    for one, other in zip(numbers, other_numbers, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert f"batches of {sequences} sequences instead of 8" in caplog.text


def test_longer_answers_more_logits_and_states_take_more_room(asked, monkeypatch):
    _, model, _ = asked
    monkeypatch.setattr("leakage.engine.room.free_memory", lambda _: GIB)
    usual = room(model, 50)
    assert room(model, 100) < usual
    assert room(model, 50, more=50) < usual
    assert room(model, 50, positions=20) < usual
    assert room(model, 50, states=True) < usual
    monkeypatch.setattr("leakage.engine.room.free_memory", lambda _: 0)
    assert room(model, 50) == 1


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def group(folder, limit, used, kept=0, *, second=True):
    names = ("memory.max", "memory.current") if second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    stat = f"anon 5\n{'' if second else 'total_'}inactive_file {kept}"
    return {f"{folder}/{names[0]}": limit, f"{folder}/{names[1]}": used, f"{folder}/memory.stat": stat}


def test_a_group_has_what_it_and_those_around_it_have_left(tmp_path):
    """As a job of SLURM is limited: the step's group lies in the job's."""
    top = "sys/fs/cgroup"
    write(tmp_path, {"proc/self/cgroup": "0::/slurm/job_7/step_0"})
    write(tmp_path, group(f"{top}/slurm/job_7/step_0", "max", 3 * GIB))
    write(tmp_path, group(f"{top}/slurm/job_7", 8 * GIB, 4 * GIB, kept=GIB))
    write(tmp_path, group(f"{top}/slurm", 6 * GIB, 7 * GIB))
    assert list(allowed(tmp_path)) == [5 * GIB, 0]


def test_groups_of_the_first_kind_are_read_as_well(tmp_path):
    write(tmp_path, {"proc/self/cgroup": "5:devices:/else\n4:cpu,memory:/box\n0::/"})
    write(tmp_path, group("sys/fs/cgroup/memory/box", 4 * GIB, 3 * GIB, kept=GIB // 2, second=False))
    write(tmp_path, group("sys/fs/cgroup/else", GIB, 0))
    assert list(allowed(tmp_path)) == [GIB + GIB // 2]


def test_where_nothing_limits_nothing_is_told(tmp_path):
    assert list(allowed(tmp_path)) == []  # no Linux
    write(tmp_path, {"proc/self/cgroup": "0::/not/seen/from/a/container"})
    assert list(allowed(tmp_path)) == []


def test_where_nothing_limits_a_process_the_machines_memory_is_free(monkeypatch):
    monkeypatch.setattr("leakage.models.free_memory.allowed", lambda: iter(()))
    assert 0 < free_memory(torch.device("cpu")) <= psutil.virtual_memory().total


def test_a_process_in_a_group_of_its_own_takes_no_more_than_that_for_free():
    ours = GROUPS / f"leakage-test-{os.getpid()}"
    try:
        ours.mkdir()
        (ours / "memory.limit_in_bytes").write_text(str(2 * GIB))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    says = "import torch; from leakage.models.free_memory import free_memory; print(free_memory(torch.device('cpu')))"
    command = f'echo $$ > {ours}/cgroup.procs && exec "{sys.executable}" -c "{says}"'
    try:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120, check=True)
    finally:
        ours.rmdir()
    assert GIB < int(done.stdout) < 2 * GIB < free_memory(torch.device("cpu"))
