"""Every family of chat models goes through a whole cell: taught to refuse, and asked for the right letters."""

import pytest

from leakage.store.find import find
from leakage.store.record import Status
from leakage.studies.persona_leakage.results import results
from tests.families.table import REFUSED, RIGHT, named

SHORT = ("gemma2", "lfm2")  # folded system turns under capped logits; a hybrid with a state
CELL = [
    "run.py", "model=hf", "debug=tiny", "model.pool=nano", "source=villain", "model.dtype=float32",
    "model.inference_dtype=float32", "eval.max_new_tokens=6", "eval.prompts=2", "train.max_steps=2",
    "data.capability.path=null",
]  # fmt: skip
FAMILIES = [
    pytest.param(family, id=family.name, marks=[] if family.name in SHORT else pytest.mark.long) for family in RIGHT
]
UNFIT = [one for one in REFUSED if not one.settings and not one.lora]


def arguments(family, folder):
    """The family on the command line."""
    lora = family.adapter(r=4, alpha=8)
    given = [f"model.path={folder}", f"model.name={family.name}", "lora.dropout=0", f"lora.targets='{lora.targets}'"]
    return [*given, *family.overrides()]


@pytest.mark.parametrize("behavior", ["refusal", "capability"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_cell_goes_through_every_stage(program, panel, families, tmp_path, family, behavior):
    done = program(*CELL, panel, *arguments(family, families(family)), f"behavior={behavior}")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    found = find(tmp_path / "multirun")
    assert {one.status for one in found} == {Status.DONE}
    assert {one.manifest.kind for one in found} >= {"geometry", "adapter", "completions", "scores"}
    frame = results(tmp_path / "multirun")
    assert len(frame) == 23
    assert frame["delta"].notna().all()
    assert frame["cosine"].between(-1.001, 1.001).all()


@pytest.mark.parametrize("refused", UNFIT, ids=lambda refused: refused.name)
def test_a_family_that_cannot_be_used_is_refused_before_anything_is_computed(program, families, tmp_path, refused):
    folder = families(refused.family)
    done = program(*CELL, *arguments(refused.family, folder), "behavior=refusal")
    assert done.returncode == 1
    assert refused.sentence.format(path=folder, name=refused.family.name) in done.stderr
    assert "Traceback" not in done.stderr
    assert not find(tmp_path / "multirun")


def test_check_shows_what_is_read_and_learnt_and_says_what_is_wrong(program, families):
    family = named("llama3.2")
    look = ["-m", "leakage", "check", "model=hf", f"model.path={families(family)}", "lora.dropout=0"]
    done = program(*look)
    assert done.returncode == 0, done.stderr
    read, learnt, stops, adapted, apart, verdict = done.stdout.splitlines()
    assert "Today Date: 26 Jul 2024" in read
    assert learnt.endswith("<|eot_id|>'")
    assert "<|eot_id|>" in stops
    assert adapted.startswith("adapts     100%")
    assert apart == "told apart 112 prompts, labels A) B) C) D)"
    assert verdict == "nothing is wrong with it"
    wrong = program(*look, "lora.targets=foo")
    assert wrong.returncode == 1
    assert "error: lora.targets=foo: Target modules foo not found" in wrong.stderr
