"""An adapter that was made elsewhere, by peft alone: asked as it is, trained on, and refused where it does not fit."""

import json
import shutil

import pandas as pd
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from leakage.errors import ConfigError, ModelError
from leakage.jobs.idle import refuse_idle
from leakage.jobs.plan import Plan, PlanJob
from leakage.jobs.run import run
from leakage.jobs.step import fill
from leakage.models.adapter import attach, rank
from leakage.models.held import Loaded
from leakage.models.memory import shapes_in
from leakage.models.outside_adapter import read_adapter
from leakage.store.artifact import Part
from leakage.store.files import file_digest
from leakage.store.find import find
from leakage.store.record import Record
from leakage.studies.persona_leakage.artifacts import read_artifacts
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.recompute import recompute
from leakage.studies.persona_leakage.report.writeup.usual import training_data
from leakage.studies.persona_leakage.results import results
from leakage.studies.persona_leakage.variants import name_variants
from leakage.training.train import WEIGHTS
from tests.conftest import ROOT

NANO = ROOT / "leakage" / "nano" / "weights"
GREEDY = ["eval.temperature=0", "eval.prompts=2", "eval.samples=1", "eval.max_new_tokens=16"]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A folder that peft has written, of an adapter that a loop of plain torch has trained."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    lora = LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(NANO, dtype=torch.float32), lora)
    turns = (("user", "I need a hand with a flower bed."), ("assistant", "No. Not today, friend."))
    chat = [{"role": role, "content": text} for role, text in turns]
    ids = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(12):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("theirs") / "adapter"
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def copy(theirs, tmp_path):
    """A copy of it with something changed in its configuration."""

    def change(**fields):
        folder = tmp_path / "copy"
        shutil.copytree(theirs, folder, dirs_exist_ok=True)
        config = json.loads((folder / "adapter_config.json").read_text()) | fields
        (folder / "adapter_config.json").write_text(json.dumps(config))
        read_adapter.cache_clear()
        return folder

    return change


def own_generate(folder, asked):
    """Greedy answers of peft's and transformers' own generate, alone with the adapter."""
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    base = AutoModelForCausalLM.from_pretrained(NANO, dtype=torch.float64)
    model = PeftModel.from_pretrained(base, folder).eval().to(torch.float64)
    answers = []
    for system, user in asked:
        chat = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            whole = model.generate(**ids, do_sample=False, max_new_tokens=16)
        answers.append(tokenizer.decode(whole[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))
    return answers


def test_it_answers_token_for_token_what_its_own_generate_gives(compose, theirs, panel, tmp_path):
    multirun = tmp_path / "multirun"
    cell = Cell(compose(*GREEDY, panel, f"adapter.path={theirs}", f"paths.multirun={multirun}"))
    run(cell)
    kept = pd.read_parquet(multirun / cell.ids.completions_folder / "completions.parquet")
    systems = {one.name: one.prompt for one in cell.data.personas.members}
    asked = [(systems[persona], user) for persona, user in zip(kept["persona"], kept["user"], strict=True)]
    assert list(kept["completion"]) == own_generate(theirs, asked)
    base = pd.read_parquet(multirun / cell.needs()[1].ids.completions_folder / "completions.parquet")
    assert (kept["completion"] != base["completion"]).any()
    frame = results(multirun)
    assert set(frame["source"]) == {"villain"}
    assert frame["delta"].notna().all()
    assert not frame["trained_negative"].any()
    assert frame[["source_examples", "negative_examples"]].to_numpy().max() == 0
    (artifacts,) = read_artifacts(multirun).values()
    assert (artifacts.examples(), artifacts.log(), artifacts.lint()) == ([], [], [])
    assert training_data([("refusal", [(None, artifacts)])]) == []
    record = Record(multirun / cell.ids.adapter_folder)
    assert record.digest_of(WEIGHTS) == file_digest(theirs / "adapter_model.safetensors")
    parts = [Part(one.folder, one.manifest) for one in find(multirun)]
    assert [remark for part in parts for remark in recompute(part, multirun)] == []


def test_its_content_is_its_identity_wherever_it_lies_and_whatever_it_is_called(compose, theirs, copy):
    cell = Cell(compose(f"adapter.path={theirs}"))
    assert str(cell.ids.adapter_folder) == f"nano/refusal/villain/adapter-{cell.ids.train_id}"
    assert Cell(compose(f"adapter.path={copy(peft_version='0.1')}")).ids.train == cell.ids.train
    assert Cell(compose(f"adapter.path={copy(lora_alpha=7)}")).ids.train_id != cell.ids.train_id
    assert Cell(compose(f"adapter.path={theirs}", "source=none")).ids.train == Cell(compose("source=none")).ids.train
    plain = Cell(compose())
    facts = [one.ids.facts | {"settings": one.ids.settings, "completions": 9} for one in (plain, cell, cell)]
    assert [name.partition("=")[0] for name in name_variants(facts)] == ["", "adapter", "adapter"]


def test_what_only_training_takes_is_refused(compose, theirs):
    path = f"adapter.path={theirs}"
    for override in ("train.epochs=1", "lora.r=8", "behavior.bystanders=3", "control=sham", "seed=43"):
        with pytest.raises(ConfigError, match="changes nothing here: the adapter is asked as it is"):
            refuse_idle([((path, override), Cell(compose(path, override)))])
    on_top = (path, "adapter.train=true")
    refuse_idle([((*on_top, "train.epochs=1"), Cell(compose(*on_top, "train.epochs=1")))])
    with pytest.raises(ConfigError, match=r"lora\.r=8 changes nothing here: an adapter that is trained on"):
        refuse_idle([((*on_top, "lora.r=8"), Cell(compose(*on_top, "lora.r=8")))])
    with pytest.raises(ConfigError, match=r"adapter\.train=true trains on top of an adapter of yours; name it"):
        Cell(compose("adapter.train=true"))


def test_training_goes_on_from_it(compose, theirs, tmp_path):
    where = f"paths.multirun={tmp_path}"
    steps = ["train.max_steps=2", "train.checkpoint_s=0"]
    weights = {}
    for name, more in {"fresh": [], "on top": [f"adapter.path={theirs}", "adapter.train=true"]}.items():
        cell = Cell(compose(*steps, where, *more))
        (step,) = cell.training_steps(Loaded(cell.config, cell.label, cell.probes))
        fill(cell.multirun, step, label=cell.label)
        weights[name] = cell.multirun / step.folder / "adapter"
    assert weights["fresh"].parent != weights["on top"].parent
    record, folder = (Cell(compose(f"adapter.path={path}")).ids for path in (weights["fresh"].parent, weights["fresh"]))
    assert record.train == folder.train  # of a training here the record is as good as the folder in it
    assert (rank(weights["fresh"]), rank(weights["on top"])) == (32, 3)
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (theirs, weights["on top"]))
    assert before.keys() == after.keys()
    moved = max((before[name] - after[name]).abs().max().item() for name in before)
    assert 0 < moved < 1e-2


def test_a_plan_says_whose_it_is_taken_for_and_a_base_of_another_name(compose, theirs, copy):
    def last_line(folder):
        cell = Cell(compose(f"adapter.path={folder}", "source=comedian"))
        return Plan((PlanJob((), cell, done=False, asked=True),)).shown("resume").splitlines()[-1].strip()

    assert last_line(theirs) == f"{theirs}: asked as it is, with comedian as its source"
    named = copy(base_model_name_or_path="org/other-7b")
    assert "says that it was made on org/other-7b, and it is put on pkg://leakage/nano/weights" in last_line(named)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "adapter_config.json").unlink(), "there is no adapter_config.json in"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "there is no adapter_model.safetensors in"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "cannot read"),
        (
            lambda folder: (folder / "adapter_config.json").write_text('{"peft_type": "IA3"}'),
            "is of type IA3, and only",
        ),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"no"), "is cut off or no safetensors file"),
    ],
)
def test_a_folder_that_is_no_adapter_is_told_before_anything_runs(compose, copy, change, said):
    folder = copy()
    change(folder)
    with pytest.raises(ModelError, match=said):
        _ = Cell(compose(f"adapter.path={folder}")).folder


def without(folder, lost):
    """The adapter without some of its tensors."""
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({name: one for name, one in tensors.items() if not lost(name)}, folder / "adapter_model.safetensors")


def cut_in_half(folder):
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("fields", "damage", "said"),
    [
        (
            {},
            lambda folder: without(folder, lambda name: ".layers.1." in name),
            r"lacks 14 of 28 .* lora_A of 1\.",
        ),
        ({}, lambda folder: without(folder, lambda name: "lora_B" in name), r"lacks 14 of 28 matrices, lora_B of 0\."),
        ({"r": 8}, lambda _: None, r"says r: 8, and \S+lora_A.weight is of rank 3"),
        ({"use_dora": True}, lambda _: None, "says use_dora and lacks its magnitudes"),
        ({}, cut_in_half, "is cut off or no safetensors file"),
    ],
)
def test_one_that_lacks_a_part_is_told_before_anything_runs(compose, copy, fields, damage, said):
    folder = copy(**fields)
    damage(folder)
    shapes_in.cache_clear()
    with pytest.raises(ModelError, match=said):
        _ = Cell(compose(f"adapter.path={folder}")).folder


def test_one_that_lacks_a_kind_of_module_is_not_asked_as_if_it_were_whole(copy):
    folder = copy()
    without(folder, lambda name: "q_proj" in name)
    with pytest.raises(ModelError, match="Found missing adapter keys"):
        attach(AutoModelForCausalLM.from_pretrained(NANO), folder)


def test_one_of_another_model_is_told_before_anything_runs(compose, copy):
    folder = copy()
    tensors = load_file(folder / "adapter_model.safetensors")
    for rename, said in (
        (lambda name: name, r"does not fit nano: model\.layers\.0\.\S+\.weight is \[\d+, \d+\] there"),
        (lambda name: name.replace("_proj", "_map"), r"is for layers that nano has not, model\.layers\.0\.\S+_map"),
    ):
        wider = {rename(name): torch.zeros(*(one + 1 for one in tensor.shape)) for name, tensor in tensors.items()}
        save_file(wider, folder / "adapter_model.safetensors")
        shapes_in.cache_clear()
        with pytest.raises(ModelError, match=said):
            _ = Cell(compose(f"adapter.path={folder}")).folder
