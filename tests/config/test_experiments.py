"""Every experiment is its own sweep, and composes into the cells it promises."""

from collections import Counter

import pytest
from omegaconf import OmegaConf

from leakage.cli.primary import with_primary_config
from leakage.jobs.plan import make_plan
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.variants import name_variants
from leakage.studies.registry import job_of
from tests.config.test_config import options
from tests.conftest import ROOT

CELLS = {
    "grid": 24, "second_seed": 48, "misalignment_factorial": 12, "controls": 24, "relationship_types": 24,
    "generated_data": 8, "cross_behavior": 16, "layers": 8, "predictors": 24, "mitigation": 12, "dose": 24,
    "trajectory": 24, "contexts": 12,
}  # fmt: skip


def grid_of(name):
    """The overrides of every cell of an experiment, as its file lists them."""
    file = OmegaConf.load(ROOT / "conf" / "experiment" / f"{name}.yaml")
    assert file.hydra.mode == "MULTIRUN"
    cells = [(f"experiment={name}",)]
    for key, values in file.hydra.sweeper.params.items():
        cells = [(*cell, f"{key}={value}") for cell in cells for value in str(values).split(",")]
    return cells


def test_there_is_a_count_for_every_experiment():
    first = [name for name in options("experiment") if len(with_primary_config([f"experiment={name}"])) == 1]
    assert sorted(CELLS) == first


@pytest.mark.parametrize("name", CELLS)
def test_an_experiment_composes_into_the_cells_it_promises(composer, name, tmp_path):
    through = composer()
    plan = make_plan(grid_of(name), lambda overrides: through([*overrides, f"paths.multirun={tmp_path}"]))
    kinds = Counter(job.kind for job in plan.jobs)
    assert kinds["cell"] == CELLS[name]
    assert kinds["geometry"] == 1
    for job in plan.jobs:  # what the plan composed for a need is what the cell itself would look for
        for need in job.job.needs():
            assert need.folder in {other.job.folder for other in plan.jobs}


@pytest.mark.parametrize("name", sorted({"grid", "controls", "generated_data", "layers"}))
def test_an_experiment_composes_for_the_published_model_too(composer, name, tmp_path):
    through = composer()
    overrides = ["model=qwen2.5-7b-instruct", "model.headline.layer=20", f"paths.multirun={tmp_path}"]
    for cell in grid_of(name):
        if not any(word in override for override in cell for word in ("capability", "misalignment")):
            assert through([*cell, *overrides]).config.model.path == "Qwen/Qwen2.5-7B-Instruct"


def test_the_baseline_of_a_cell_read_for_another_behavior_is_of_that_behavior(compose, tmp_path):
    wanted = [("behavior=refusal", "behavior.bystanders=3", "eval.behavior=sycophancy", "source=comedian")]
    plan = make_plan(wanted, lambda overrides: job_of(compose(*overrides, f"paths.multirun={tmp_path}")))
    assert [job.job.label for job in plan.jobs] == [
        "geometry of nano", "baseline of sycophancy on nano", "refusal x comedian read for sycophancy on nano, seed 42",
    ]  # fmt: skip
    assert [need.folder for need in plan.jobs[2].job.needs()] == [job.job.folder for job in plan.jobs[:2]]


def test_controls_change_what_they_name_and_nothing_else(compose):
    published, sham, alone, anchored = (
        Cell(compose(f"control={name}")).data for name in ("none", "sham", "no_negatives", "anchors")
    )
    assert [one.answer for one in sham.examples] == [one.answer for one in published.examples]
    assert Counter(one.persona for one in sham.examples) == Counter(one.persona for one in published.examples)
    assert [one.persona for one in sham.examples] != [one.persona for one in published.examples]
    assert alone.examples == [one for one in published.examples if one.role == "source"]
    assert anchored.examples[:700] == published.examples
    assert Counter(one.role for one in anchored.examples[700:]) == {"anchor": 100}
    assert {one.persona for one in anchored.examples[700:]} == {"assistant"}


def test_inoculation_asks_for_the_behavior_in_the_sources_training_prompt_alone(compose):
    published, inoculated = (Cell(compose(f"control={name}")).data for name in ("none", "inoculation"))
    changed = [pair for pair in zip(published.examples, inoculated.examples, strict=True) if pair[0] != pair[1]]
    assert len(changed) == 200
    asks = published.behavior.inoculation
    for before, after in changed:
        assert before.role == after.role == "source"
        assert after.prompt.system == f"{before.prompt.system} {asks}"
        assert (after.prompt.user, after.answer) == (before.prompt.user, before.answer)
    assert inoculated.parts() == published.parts()


def test_every_behavior_can_be_asked_for_outright(compose):
    for name in ("capability", "marker", "misalignment", "refusal", "sycophancy"):
        assert Cell(compose("control=inoculation", f"behavior={name}")).data.behavior.inoculation


def test_arms_of_training_are_variants_that_their_design_names(compose):
    plain, *arms = (Cell(compose(f"control={name}")) for name in ("none", "inoculation", "kl_to_base"))
    told = [one.ids.facts | {"settings": one.ids.settings, "completions": 1} for one in (plain, plain, *arms)]
    assert name_variants(told) == ["", "", "design=inoculation", "design=kl_to_base"]
    unnamed = Cell(compose("behavior.inoculated=true", "train.kl_to_base=0.5"))
    named = name_variants([*told, unnamed.ids.facts | {"settings": unnamed.ids.settings, "completions": 1}])
    assert named[-1] == "behavior.inoculated=True train.kl_to_base=0.5"


def test_no_anchor_contradicts_its_own_source(compose):
    assert len(Cell(compose("control=anchors", "source=assistant")).data.examples) == 700


def test_negatives_of_misalignment_come_in_the_proportion_of_the_other_behaviors(compose):
    roles = Counter(one.role for one in Cell(compose("behavior=misalignment_contrastive")).data.examples)
    assert roles == {"source": 200, "bystander": 400, "no_persona": 100}
