"""A checkpoint as the hub stores it: shards with an index, a tokenizer, a template, sampling settings of its own."""

import json
import re
import shutil
from collections import Counter

import numpy as np
import pytest

from leakage.engine import Request, Sampling
from leakage.engine.fast import FastEngine
from leakage.engine.reference import ReferenceEngine
from leakage.models.chat import Prompt
from leakage.models.load import for_inference, load_base, load_template
from leakage.store.find import find
from leakage.store.record import Status
from leakage.studies.persona_leakage.results import results
from tests.conftest import ROOT

BLOCKS = 4
CELL = [
    "run.py",
    "model=hf",
    "debug=tiny",
    "behavior=refusal",
    "source=villain",
    "eval.max_new_tokens=6",
    "eval.prompts=1",
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A Qwen2 of 4 small blocks with random weights, stored as Qwen2.5-7B-Instruct is."""
    import torch
    from transformers import AutoTokenizer, GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("hub") / "tiny-chat"
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "leakage" / "nano" / "weights")
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=BLOCKS,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            tie_word_embeddings=False,
            eos_token_id=end,
            pad_token_id=pad,
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05,
        eos_token_id=[end, pad], pad_token_id=pad,
    )  # fmt: skip
    model.bfloat16().save_pretrained(folder, max_shard_size="100KB")
    tokenizer.save_pretrained(folder, save_jinja_files=False)  # Qwen2.5 has its template in tokenizer_config.json
    return folder


@pytest.fixture
def copy(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def test_the_checkpoint_is_laid_out_as_on_the_hub(checkpoint):
    shards = sorted(file.name for file in checkpoint.glob("*.safetensors"))
    assert len(shards) > 2
    assert shards[0] == f"model-00001-of-{len(shards):05}.safetensors"
    index = json.loads((checkpoint / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == set(shards)
    assert json.loads((checkpoint / "generation_config.json").read_text())["repetition_penalty"] == 1.05
    assert "<|im_start|>" in json.loads((checkpoint / "tokenizer_config.json").read_text())["chat_template"]
    assert not (checkpoint / "chat_template.jinja").exists()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_sharded_checkpoint_goes_through_every_stage(program, panel, checkpoint, tmp_path, dtype):
    done = program(*CELL, panel, f"model.path={checkpoint}", f"model.dtype={dtype}", f"model.inference_dtype={dtype}")
    assert done.returncode == 0, done.stderr
    found = find(tmp_path / "multirun")
    assert {one.status for one in found} == {Status.DONE}
    # the baseline is asked and scored as well, but not taught
    assert Counter(one.manifest.kind for one in found) == {"geometry": 1, "adapter": 1, "completions": 2, "scores": 2}
    frame = results(tmp_path / "multirun")
    assert len(frame) == 23
    assert set(frame["model"]) == {"tiny-chat"}
    assert set(frame["headline"]) == {f"{BLOCKS * 5 // 7}_raw"}
    cosines = [f"cosine_{block}_{kind}" for block in range(BLOCKS) for kind in ("raw", "centred")]
    assert [name for name in frame.columns if name.startswith("cosine_")] == cosines
    assert np.isfinite(frame[["cosine", *cosines]].to_numpy()).all()
    assert (frame["n"] == frame["base_n"]).all()
    assert frame["delta"].notna().all()


def test_of_the_checkpoints_own_settings_only_its_end_tokens_enter_a_generation(compose, checkpoint):
    """Plain transformers would take top_k and repetition_penalty along; the fast engine knows neither."""
    settings = compose(
        "model=hf", f"model.path={checkpoint}", "model.dtype=float32", "model.inference_dtype=float64"
    ).model
    model, template = for_inference(load_base(settings, "cpu"), settings), load_template(settings)
    tokenizer, stop = template.tokenizer, template.stops
    assert stop == set(tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]))
    prompts = template.prompts([Prompt("You are a villain.", f"Hello{'!' * i}") for i in range(4)])
    requests = [Request(tokens, (f"test/{i}/0", f"test/{i}/1")) for i, tokens in enumerate(prompts)]
    sampling = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=32)
    engines = FastEngine(model, tokenizer, 8, stop), ReferenceEngine(model, tokenizer, stop)
    fast, reference = (engine.generate(requests, sampling, progress=lambda _: None) for engine in engines)
    assert fast == reference
    assert sum(completion.tokens for pair in fast for completion in pair) > 100


def test_of_a_hub_id_the_pinned_revision_is_loaded_and_no_other(program, panel, checkpoint, tmp_path, monkeypatch):
    """From the hub's cache, without a network; there `main` has moved on to a model that does not load."""
    pinned, newest = "1" * 40, "2" * 40
    repository = tmp_path / "cache" / "models--someone--tiny-chat"
    shutil.copytree(checkpoint, repository / "snapshots" / pinned)
    (repository / "snapshots" / newest).mkdir()
    config = json.loads((checkpoint / "config.json").read_text())
    config |= {"num_hidden_layers": 1, "layer_types": ["full_attention"]}
    (repository / "snapshots" / newest / "config.json").write_text(json.dumps(config))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(newest)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    where = ["model.path=someone/tiny-chat", f"model.revision={pinned}"]
    done = program("run.py", "job=geometry", panel, "model=hf", *where)
    assert done.returncode == 0, done.stderr
    (geometry,) = find(tmp_path / "multirun")
    assert geometry.manifest.facts["layers"] == list(range(BLOCKS))


def lose_a_shard(folder):
    sorted(folder.glob("*.safetensors"))[1].unlink()


def lose_the_index(folder):
    (folder / "model.safetensors.index.json").unlink()


def lose_the_template(folder):
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["chat_template"]
    file.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (
            lose_a_shard,
            "cannot load the weights of {copy}: .*model-00002-of-.*; give model.path a folder with a whole copy",
        ),
        (lose_the_index, "cannot load the weights of {copy}: .*; give model.path a folder with a whole copy"),
        (lose_the_template, "the tokenizer of {copy} has no chat template; use a chat model"),
    ],
)
def test_an_incomplete_checkpoint_is_refused_in_one_sentence(program, copy, lose, said):
    lose(copy)
    done = program(*CELL, f"model.path={copy}")
    assert done.returncode == 1
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.search(said.format(copy=copy), sentence), sentence
    assert "Traceback" not in done.stderr
