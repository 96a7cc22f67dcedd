"""Next steps are commands: the very jobs, the very settings, and one thing changed."""

import re
import shlex
from pathlib import Path

import pytest

from leakage.report.again import Usual
from leakage.report.commands import MOST, NextStep, below, changed, next_steps, reading, run, setting
from leakage.report.markdown import page
from leakage.settings.schema import write_config

KEYS = ("behavior", "source")


def test_commands_cover_the_jobs_and_no_others():
    jobs = [((behavior, source), ()) for behavior in ("refusal", "marker") for source in ("villain", "hero")]
    assert run(jobs, KEYS, "seed=43") == ("python run.py -m behavior=refusal,marker source=villain,hero seed=43",)
    assert run(jobs[:3], KEYS) == (
        "python run.py -m behavior=refusal source=villain,hero", "python run.py behavior=marker source=villain",
    )  # fmt: skip
    apart = run([(("refusal", "villain"), ("train.epochs=1",)), (("refusal", "hero"), ())], KEYS)
    assert apart == (
        "python run.py behavior=refusal source=villain train.epochs=1", "python run.py behavior=refusal source=hero",
    )  # fmt: skip


def test_what_is_changed_takes_the_place_of_what_was():
    (command,) = run([(("refusal", "villain"), ("eval.samples=2", "lora.r=8"))], KEYS, "eval.samples=20")
    assert command == "python run.py behavior=refusal source=villain lora.r=8 eval.samples=20"


@pytest.mark.parametrize("path", ["mine.jsonl", "/a b/mine.jsonl", "it's,${x}.jsonl", "null", "1e3", "-x"])
def test_overrides_make_the_very_settings(compose, tmp_path, path):
    mine = ["train.epochs=1", "eval.prompts=null", "model.layers=[0]", "lora.alpha=3.5", setting("personas.path", path)]
    written = compose("source.name=hero", "seed=7", *mine, "device=cpu", f"paths.multirun={tmp_path}")
    rest = changed(written, compose(), but=("source.name", "seed"))
    assert sorted(one.partition("=")[0] for one in rest) == [
        "eval.prompts", "lora.alpha", "model.layers", "personas.path", "train.epochs",
    ]  # fmt: skip
    shell = shlex.split(shlex.join(rest))
    again = compose("source.name=hero", "seed=7", *shell, "device=cpu", f"paths.multirun={tmp_path}")
    assert again == written


def test_a_model_is_named_by_its_file_or_by_its_place(compose, tmp_path):
    usual = Usual(lambda overrides: compose(*overrides))
    for given, said in (
        ([], ()),
        (["model=qwen2.5-0.5b-instruct"], ("model=qwen2.5-0.5b-instruct",)),
        (["model=hf", "model.path=org/some-chat"], ("model=hf", "model.path=org/some-chat")),
    ):
        write_config(tmp_path / "config.yaml", compose("behavior=refusal", *given))
        written = usual.written(tmp_path, ["behavior=refusal"], re.compile("^seed: .*", re.MULTILINE))
        assert usual.rest(written, ["behavior=refusal"], but=()) == said


def test_where_results_lie_is_said_where_it_is_not_as_usual():
    assert (below(Path("multirun")), below(Path("/data/mine"))) == ((), ("paths.multirun=/data/mine",))
    assert reading("table", Path("multirun")) == "python -m leakage table"
    assert reading("table", Path("my results")) == "python -m leakage table --multirun 'my results'"


def test_a_list_of_steps_is_short_and_its_commands_are_code(compose):
    steps = [NextStep(f"Why {number}:", (f"python run.py seed={number} <b>",)) for number in range(MOST + 2)]
    text = page(next_steps(steps, compose))
    assert text.count("Why") == MOST
    assert "1. Why 0:\n\n       python run.py seed=0 <b>\n" in text  # code, so no tag begins there
    assert next_steps([], compose) == ["None: whatever this tool checks has been checked.", ""]


def test_settings_that_there_are_no_more_are_no_settings(compose, tmp_path):
    usual = Usual(lambda overrides: compose(*overrides))
    nothing = re.compile("^$")
    assert usual.written(tmp_path, [], nothing) is None
    for text, chosen in (("model: {gone: 1}\n", []), ("lora: {r: -1}\n", []), ("seed: 42\n", ["behavior=gone"])):
        (tmp_path / "config.yaml").write_text(text)
        assert usual.written(tmp_path, chosen, nothing) is None
    (tmp_path / "config.yaml").write_text("seed: 43\n")
    assert usual.written(tmp_path, [], nothing) == compose("seed=43")
