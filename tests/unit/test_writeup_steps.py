"""Each next step is there when the cells lack something, with its own command, and gone when they do not."""

from dataclasses import replace

import pandas as pd
import pytest

from leakage.settings.schema import write_config
from leakage.studies.persona_leakage.analysis.controls import DESIGNS
from leakage.studies.persona_leakage.report.cells import read_cells
from leakage.studies.persona_leakage.report.sections import tables
from leakage.studies.persona_leakage.report.writeup.steps import steps
from leakage.studies.persona_leakage.report.writeup.study import Study
from leakage.studies.persona_leakage.results import results
from tests.browser.made import make_result

MODEL = ("model=hf", "model.path=org/made")
WHOLE = {"cut_off": 0.0, "reliability": 0.9, "q": 0.001}


@pytest.fixture(scope="module")
def made(tmp_path_factory, compose):
    """Two behaviors taught to two sources, with the settings that each was asked with."""
    multirun = tmp_path_factory.mktemp("made")
    make_result(multirun, behaviors=("capability", "refusal"), sources=("villain", "comedian"), prompts=3, personas=30)
    for folder in multirun.glob("made/*/*/seed42-*/*-e0"):
        behavior, source = folder.parts[-4], folder.parts[-3]
        mine = (f"behavior={behavior}", f"source={source}", "lora.r=8", *MODEL, f"paths.multirun={multirun}")
        write_config(folder / "config.yaml", compose(*mine))
    frame = results(multirun)
    return multirun, frame, tables(frame)


@pytest.fixture
def told(made, compose):
    """The steps of a study whose rows are changed; each as why and commands, without what all commands have."""
    multirun, frame, every = made

    def tell(change=lambda _: {}, *, sources=("villain", "comedian"), shams=False):
        cells = [one for one in read_cells(frame, multirun, every["designs"]) if one.row["source"] in sources]
        cells = [replace(one, row=one.row | WHOLE | change(one.row)) for one in cells]
        for one in cells:
            one.artifacts.facts["settings"]["eval.max_new_tokens"] = 512
            if one.row["behavior"] == "capability":
                one.artifacts.facts["settings"].pop("eval.samples", None)  # a choice is not sampled
        beside = pd.DataFrame([one.row | {"design": "sham"} for one in cells], columns=DESIGNS).assign(design="sham")
        own = every | {"designs": beside if shams else every["designs"]}
        made_steps = steps(Study("made", cells, own), lambda overrides: compose(*overrides))
        rest = f" model=hf model.path=org/made lora.r=8 paths.multirun={multirun}"
        return [(one.why, [command.replace(rest, "") for command in one.commands]) for one in made_steps]

    return tell


def commands(told_steps, word):
    """The commands of the one step that says a word."""
    of_step = [lines for why, lines in told_steps if word in why]
    assert len(of_step) <= 1
    return of_step[0] if of_step else None


def test_cells_of_one_seed_want_another_and_the_others_seed_where_there_is_one(told):
    both = "behavior=capability,refusal source=comedian,villain"
    assert commands(told(), "one seed") == [f"python run.py -m {both} seed=43"]
    other = told(lambda row: {"seed": 7} if row["source"] == "villain" else {})
    assert commands(other, "one seed") == [
        "python run.py -m behavior=capability,refusal source=villain seed=42",
        "python run.py -m behavior=capability,refusal source=comedian seed=7",
    ]


def test_a_single_source_wants_another(told):
    assert commands(told(), "one source only") is None
    alone = told(sources=("villain",))
    assert commands(alone, "one source only") == ["python run.py -m behavior=capability,refusal source=comedian"]


def test_shams_are_wanted_for_what_was_found_and_has_none(told):
    found = told(lambda row: {"q": 0.01 if row["behavior"] == "refusal" else 0.2})
    assert commands(found, "No sham adapter") == [
        "python run.py -m behavior=refusal source=comedian,villain control=sham"
    ]
    assert commands(told(shams=True), "No sham adapter") is None
    assert commands(told(lambda _: {"q": 0.05}), "No sham adapter") is None


def test_noisy_deltas_want_as_many_samples_as_make_them_reliable(told):
    noisy = told(lambda row: {"reliability": 0.5 if row["source"] == "villain" else 0.9})
    assert commands(noisy, "reliable to less than .8") == [
        "python run.py behavior=refusal source=villain eval.samples=8"
    ]
    assert commands(told(lambda _: {"reliability": 0.8}), "reliable") is None
    assert commands(told(lambda _: {"reliability": float("nan")}), "reliable") is None


def test_answers_that_were_cut_off_want_room(told):
    cut = told(lambda row: {"cut_off": 0.1 if row["source"] == "comedian" else 0.09})
    assert commands(cut, "were cut off") == ["python run.py behavior=refusal source=comedian eval.max_new_tokens=1024"]
    assert next(why for why, _ in cut).startswith("In 1 cell up to 10% of the answers were cut off")
    assert commands(told(), "were cut off") is None


def test_a_model_is_to_read_what_only_rules_have_read_and_no_choices(told):
    (command,) = commands(told(), "Only rules have read")
    assert command.startswith("python -m leakage rejudge judge=claude judge.max_usd=")
    assert "--behavior refusal --multirun " in command
    assert commands(told(lambda _: {"judge": "claude"}), "Only rules have read") is None


def test_without_a_way_to_compose_or_without_folders_there_are_no_steps(made):
    multirun, frame, every = made
    cells = read_cells(frame, multirun, every["designs"])
    assert steps(Study("made", cells, every), None) == []
    assert steps(Study("made", [replace(one, artifacts=None) for one in cells], every), lambda _: None) == []
