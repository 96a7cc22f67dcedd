"""The composer of a sweep: what Hydra would compose, without asking Hydra for every cell."""

import json
import time
from collections.abc import Sequence

import pytest
from omegaconf import DictConfig, OmegaConf

from leakage.data.personas import read_personas
from leakage.jobs.plan import make_plan
from leakage.settings.compose import Composer
from leakage.settings.schema import load as load_as
from leakage.studies.registry import job_of, studies

BEHAVIORS = ("refusal", "sycophancy", "capability", "misalignment")
SHARE = 0.4  # of what Hydra takes for a config: a cell may take it from overrides to a line of the plan


class Counting:
    """Hydra's composition as a sweeper has it, its own settings with it, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        from hydra import compose

        self.asked.append(tuple(overrides))
        return compose("config", list(overrides), return_hydra_config=True)


def load(cfg):
    return load_as(cfg, studies()[0].settings())


def composer_of(through_hydra):
    return Composer(through_hydra, studies()[0].settings(), studies()[0].options())


@pytest.fixture
def hydra(compose):  # noqa: ARG001  # it keeps Hydra initialised
    return Counting()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["behavior=sycophancy", "model=qwen2.5-7b-instruct"],
        ["behavior=capability"],  # a file for this behavior on this model
        ["behavior=misalignment_contrastive", "seed=7"],
        ["source=comedian"],
        ["source=none", "job=geometry"],
        ["source.name=a persona of my own", "personas.path=mine.jsonl"],
        ["source.name='with = and , in it'"],
        ["personas.path=''"],
        ["seed=43", "device=cuda:1", "eval.temperature=0", "train.learning_rate=1e-4"],
        ["train=published", "train.epochs=1"],
        ["train.epochs=1", "train=published"],  # a value stands above a file, wherever it is written
        ["debug=tiny", "train.max_steps=null", "eval.prompts=3"],
        ["control=sham", "behavior.sham=false"],
        ["model.layers=[1]", "model.headline.layer=1"],
        ["model.layers=null", "model.headline.layer=null"],
        ["model=qwen2.5-7b-instruct", "model.layers=[0,5,20]"],
        ["eval.behavior=null"],
        ["eval.behavior=sycophancy", "plan=true", "planned=1f2e3d4c5b6a/7"],
        ["judge=claude", "judge.max_usd=5", "judge.batch=yes"],
        ["train.epochs=${eval.samples}", "eval.samples=4"],
        ["model=hf", "model.path=some/where", "lora.r=${train.batch_size}"],  # the file's name is made of the path
        ['paths.multirun="a b/c=d"'],
        ["site.setup=[module load cuda,'export A=1']", "site.partition=gpu"],
        ["experiment=grid", "behavior=misalignment", "source=villain", "seed=44"],
        ["experiment=layers", "train.epochs=2"],
        ["hydra/launcher=basic", "seed=3"],
        ["hydra.job.name=other", "lora.alpha=8"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_composed_is_what_hydra_composes(hydra, overrides):
    composer = composer_of(hydra)
    expected = load(hydra(overrides))
    assert composer(overrides) == expected
    hydra.asked.clear()
    assert composer(overrides) == expected  # once more, from the shared merge
    assert not hydra.asked


@pytest.mark.parametrize(
    "overrides",
    [
        ["++seed=5", "source=hero"], ["seed=5", "++seed=7"], ["seed=1", "seed=2", "seed=1"],
        ["train.epochs=2", "train={epochs:7}"], ["+train={epochs:7}", "train.epochs=2"],
        ["source.name=hero", "source=villain"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_overrides_whose_order_matters_are_left_to_hydra(hydra, overrides):
    assert composer_of(hydra)(overrides) == load(hydra(overrides))


def test_cells_that_share_a_merge_do_not_share_their_values(hydra):
    composer = composer_of(hydra)
    first = composer(["model.layers=[1]", "model.headline.layer=1", "seed=1", "source=hero"])
    second = composer(["seed=2"])
    assert (first.model.layers, first.seed, first.source.name) == ((1,), 1, "hero")
    assert (second.model.layers, second.seed, second.source.name) == ((0, 1), 2, "villain")
    assert hydra.asked == [()]


@pytest.mark.parametrize(
    "override",
    [
        "train.epoch=1", "surplus=1", "+surplus=1", "+seed=1", "~train.epochs", "train.epochs=many", "seed=[1]",
        "source=vilain", "behavior=refusl", "model.layers=7", "train.epochs=-1", "eval.engine=slow", "model=hf",
        "seed=1,2", "seed=43.0", "train.epochs=${nowhere}", "device=gpu", "seed=", "source=",
    ],
)  # fmt: skip
def test_what_is_wrong_raises_what_it_raises_through_hydra(hydra, override):
    expected, found = error_of(lambda: load(hydra([override]))), error_of(lambda: composer_of(hydra)([override]))
    assert type(found) is type(expected)
    assert str(found) == str(expected)


def error_of(compose):
    try:
        compose()
    except Exception as error:
        return error
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize("cells_wanted", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_a_thousand_cells_are_planned_in_seconds_and_hydra_is_asked_once_a_behavior(hydra, tmp_path, cells_wanted):
    """Composing, identities, looking at every folder, writing the plan and its lines; without the start of Python."""
    sources = read_personas().names[: cells_wanted // 20]
    rest = f"paths.multirun={tmp_path / 'multirun'}"
    cells = [
        (f"behavior={behavior}", f"source={source}", f"seed={seed}", rest)
        for behavior in BEHAVIORS for source in sources for seed in range(5)
    ]  # fmt: skip
    composer = composer_of(hydra)
    started, worked = time.perf_counter(), time.process_time()
    plan = make_plan(cells, lambda overrides: job_of(composer(overrides)))
    plan.keep()
    shown = plan.shown("resume")
    seconds = time.process_time() - worked  # of this process alone: another test beside it makes it no slower
    wall = time.perf_counter() - started
    told = {"seconds": round(seconds, 1), "wall": round(wall, 1), "through_hydra": len(hydra.asked)}
    print(json.dumps({"cells": len(cells), **told}))
    jobs = cells_wanted + 5
    counted = f"{cells_wanted} cells (0 done), 4 baselines (0 done), 1 geometry (0 done): {jobs} to run"
    assert shown.splitlines()[0] == counted
    assert len(shown.splitlines()) == 1 + jobs
    assert len(hydra.asked) == len(BEHAVIORS)
    assert seconds < (15 + SHARE * cells_wanted) * hydras_own(hydra)  # 15: Hydra itself four times, and imports


def hydras_own(hydra):
    """Seconds that Hydra takes for a config on this machine."""
    taken = []
    for seed in range(3):
        started = time.process_time()
        hydra([f"seed={seed}"])
        taken.append(time.process_time() - started)
    return max(taken)


def test_hydras_own_settings_enter_no_merge(hydra):
    composer = composer_of(hydra)
    composer(["seed=1"])
    (merged,) = composer._merged.values()
    assert OmegaConf.is_config(merged)
    assert "hydra" not in merged
