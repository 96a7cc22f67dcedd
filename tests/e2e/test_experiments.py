"""Experiments run on the embedded model, from their files alone."""

import json
import shutil

import pytest

from leakage.report.drawing import draw_all
from leakage.studies.persona_leakage.analysis.tables import by_category, by_layer, headline
from leakage.studies.persona_leakage.figures.gallery import drawings
from leakage.studies.persona_leakage.results import results
from tests.cells import TINY
from tests.config.test_experiments import CELLS
from tests.conftest import swept

NARROWED = {  # the same experiment over fewer sources, to spare time
    "grid": ("source=villain,qwen_default", 8), "second_seed": ("source=villain", 8),
    "controls": ("source=villain", 12), "relationship_types": ("source=villain,comedian", 8),
    "misalignment_factorial": ("source=assistant", 6), "generated_data": ("source=villain", 4),
    "layers": ("source=villain", 4), "contexts": ("source.name=qwen_default,villain", 4),
    "predictors": ("source=villain", 4), "mitigation": ("source=villain", 6), "dose": ("source=villain", 4),
    "trajectory": ("source=villain", 4),
}  # fmt: skip

WHOLE = {"grid": 110, "contexts": 28}  # with all of the personas that their files name, so many of which are counted

SHORT = {  # one of each kind: behaviors that choose and that write, controls, answers of its own, all layers
    "controls": (["source=villain", "behavior=refusal"], 4),
    "cross_behavior": (["behavior=capability", "eval.behavior=capability,sycophancy"], 2),
    "generated_data": (["source=villain", "behavior=sycophancy"], 2),
    "misalignment_factorial": (["source=assistant", "behavior.source_examples=600"], 2),
    "layers": (["source=villain", "behavior=refusal"], 1),
}


@pytest.fixture(scope="session")
def needs(made_once, panel):
    """What most cells need, of the same personas: the geometry and the baselines of all behaviors."""
    behaviors = "behavior=capability,misalignment,refusal,sycophancy"
    return swept(made_once, "needs", "run.py", "-m", *TINY, panel, "source=none", behaviors)


@pytest.mark.parametrize("name", SHORT)
def test_an_experiment_of_each_kind_runs_on_few_personas(program, panel, needs, tmp_path, name):
    narrowed, cells = SHORT[name]
    shutil.copytree(needs, tmp_path / "multirun")
    frame = assert_runs(program, tmp_path, name, cells, narrowed=[panel, *narrowed], personas=20)
    if name == "controls":
        assert list(draw_all(drawings(frame), tmp_path / "figures"))


@pytest.mark.long
@pytest.mark.parametrize("name", CELLS)
def test_an_experiment_runs_tiny(program, panel, needs, tmp_path, name):
    narrowed, cells = NARROWED.get(name, ("source=villain", CELLS[name]))
    of_all = WHOLE.get(name)
    if not of_all:
        shutil.copytree(needs, tmp_path / "multirun")
    few = [] if of_all else [panel]
    frame = assert_runs(program, tmp_path, name, cells, narrowed=[narrowed, *few], personas=of_all or 20)
    assert list(draw_all(drawings(frame), tmp_path / "figures"))


def assert_runs(program, folder, name, cells, *, narrowed, personas):
    """The tidy frame of its results."""
    done = program("run.py", f"experiment={name}", "debug=tiny", *narrowed, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    frame = results(folder / "multirun")
    table = headline(frame)
    assert len(table) == cells
    assert table["source_delta"].notna().all()
    assert (table["missing"] == 0).all()
    assert not list((folder / "multirun").rglob("failed.json"))
    assert_lint_is_clean(folder / "multirun")
    assert len(by_layer(frame)) == 4 * cells
    assert by_category(frame)["n"].sum() >= personas * cells
    return frame


def assert_lint_is_clean(root):
    """But of sources that the template writes for a chat without a persona: those negatives are left out."""
    for path in root.rglob("lint.json"):
        rules = [finding["rule"] for finding in json.loads(path.read_text())]
        assert rules in ([], ["left_out"]), path
        assert not rules or path.parents[1].name == "qwen_default"
