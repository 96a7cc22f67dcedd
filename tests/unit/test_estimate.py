"""What a sweep will cost, from finished records and prices alone."""

import json
import re
from functools import partial
from math import ceil
from pathlib import Path

import pandas as pd
import pytest

from leakage.errors import ConfigError
from leakage.jobs.estimate import Measured, Pace, Rate, estimate, measure
from leakage.jobs.plan import make_plan
from leakage.jobs.step import Step, Work
from leakage.network.asks import Answer, answer_row
from leakage.store.journal import Journal
from tests import programs
from tests.conftest import ROOT
from tests.unit.helpers import jobs_composer

RATES = {"refusal": (1.0, 2.0, 6.0), "capability": (10.0, 30.0)}
COUNTED_AS = {"adapter": "steps", "completions": "completions", "geometry": "prompts"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A multirun in which one cell, its baseline and its geometry are done; of few personas, so that it takes seconds.

    They lie beside it, as personas.jsonl.
    """
    folder = tmp_path_factory.mktemp("finished")
    shipped = (ROOT / "leakage" / "data" / "personas" / "personas.jsonl").read_text().splitlines(keepends=True)
    (folder / "personas.jsonl").write_text("".join(line for line in shipped if '"original"' in line))
    where = [f"paths.multirun={folder / 'multirun'}", f"personas.path={folder / 'personas.jsonl'}"]
    programs.run("run.py", "debug=tiny", "train.max_steps=2", *where, check=True)
    return folder / "multirun"


@pytest.fixture
def planned(compose):  # noqa: ARG001  # it keeps Hydra initialised
    """A plan of one or more cells whose results are below a multirun."""
    job = jobs_composer()

    def make(multirun, *cells):
        mine = multirun.parent / "personas.jsonl"
        where = [f"paths.multirun={multirun}", *([f"personas.path={mine}"] if mine.is_file() else [])]
        return make_plan([(*overrides, *where) for overrides in cells], job)

    return make


def manifests(multirun):
    found = (json.loads(file.read_text()) for file in multirun.rglob("manifest.json"))
    return {(one["kind"], one["facts"].get("source", "")): one for one in found}


def seconds_a_unit(manifest, unit):
    return manifest["provenance"]["wall_seconds"] / manifest["facts"][unit]


def pace(measured, model, kind, behavior, **identity):
    """Of a step under the settings of the only record of that model and kind, but for those named with "__" for "."."""
    settings = measured.rates[model, kind][0].settings if (model, kind) in measured.rates else {}
    changed = {name.replace("__", "."): value for name, value in identity.items()}
    return measured.pace(Step(kind, Path(), {**settings, **changed}, print, work=Work(rate=(model, behavior))))


def rate(measured, model, kind, behavior):
    found = pace(measured, model, kind, behavior)
    return found and found.seconds


def span(seconds):
    return f"{max(1, round(seconds / 60))} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def test_what_a_record_took_is_read_off_its_manifest(finished):
    measured = measure(finished, COUNTED_AS)
    told = manifests(finished)
    assert told["adapter", "villain"]["facts"]["steps"] == 2
    assert rate(measured, "nano", "adapter", "refusal") == seconds_a_unit(told["adapter", "villain"], "steps")
    assert rate(measured, "nano", "geometry", "") == seconds_a_unit(told["geometry", ""], "prompts")
    both = [seconds_a_unit(told["completions", source], "completions") for source in ("none", "villain")]
    assert rate(measured, "nano", "completions", "refusal") == pytest.approx(sum(both) / 2)
    assert measured.machines == {told["adapter", "villain"]["provenance"]["machine"]["device"]}


def test_a_behavior_that_nobody_has_measured_takes_what_others_of_the_model_took(finished):
    measured = measure(finished, COUNTED_AS)
    assert rate(measured, "nano", "adapter", "sycophancy") == rate(measured, "nano", "adapter", "refusal")
    assert rate(measured, "other", "adapter", "refusal") is None


def test_of_several_behaviors_its_own_records_count():
    refusal, capability = ([Rate.of(one, name, {}) for one in seconds] for name, seconds in RATES.items())
    measured = Measured({("nano", "adapter"): [*refusal, *capability]}, frozenset())
    told = [rate(measured, "nano", "adapter", behavior) for behavior in (*RATES, "sycophancy")]
    assert told == [2.0, 20.0, 6.0]


def test_records_under_the_same_settings_count_before_those_of_the_same_behavior():
    """A precision or an engine can be ten times slower than another; where none is alike, the nearest are named so."""
    slow, fast = {"model.inference_dtype": "float32"}, {"model.inference_dtype": "bfloat16", "eval.engine": "vllm"}
    rates = [Rate.of(10.0, "refusal", slow), Rate.of(12.0, "sycophancy", slow), Rate.of(1.0, "sycophancy", fast)]
    measured = Measured({("nano", "completions"): rates}, frozenset())
    ask = partial(pace, measured, "nano", "completions", "refusal")
    assert ask() == Pace(10.0)
    assert ask(model__inference_dtype="bfloat16", eval__engine="vllm") == Pace(1.0)
    assert ask(model__inference_dtype="bfloat16") == Pace(10.0, ("model.inference_dtype",))


def test_a_plan_says_under_which_other_settings_its_hours_were_measured(finished, planned):
    told = estimate(planned(finished, ("debug=tiny", "train.max_steps=2", "eval.max_new_tokens=9")))
    assert told.splitlines()[0].endswith(", completions under another eval.max_new_tokens")


def test_a_further_cell_is_given_the_minutes_that_its_units_will_take(finished, planned):
    """Twelve hundred steps and 11 x 20 x 2 answers, for the baseline as well; the geometry is there."""
    plan = planned(finished, ("source=comedian", "train.epochs=30"))
    measured = measure(finished, COUNTED_AS)
    steps = 30 * ceil(len(plan.jobs[-1].job.data.examples) / 16)
    assert 1000 < steps < 2000
    taught = steps * rate(measured, "nano", "adapter", "refusal")
    asked = 2 * 11 * 20 * 2 * rate(measured, "nano", "completions", "refusal")
    time, judge = estimate(plan).splitlines()
    assert time.startswith(f"time: about {span(taught + asked)} of one GPU or process (")
    assert f"adapter {span(taught)}" in time
    assert f"completions {span(asked)}" in time
    assert "geometry" not in time
    assert time.endswith(f", as measured on {', '.join(measured.machines)}")
    assert judge == "judge: $0"


def test_long_sweeps_are_told_in_hours(finished, planned):
    plan = planned(finished, *[(f"seed={seed}", "train.epochs=1000") for seed in range(3)])
    each = rate(measure(finished, COUNTED_AS), "nano", "adapter", "refusal")
    steps = 1000 * ceil(len(plan.jobs[-1].job.data.examples) / 16)
    hours = re.search(r"adapter ([\d.]+) h", estimate(plan))[1]
    assert float(hours) == pytest.approx(3 * steps * each / 3600, abs=0.051)


def test_a_killed_cell_costs_only_what_it_lacks(finished, planned):
    """The adapter is there; only a longer evaluation is not."""
    told = estimate(planned(finished, ("debug=tiny", "train.max_steps=2", "eval.prompts=3")))
    assert "completions" in told
    assert "adapter" not in told


def test_what_is_done_costs_nothing(finished, planned):
    assert estimate(planned(finished, ("debug=tiny", "train.max_steps=2"))) == "cost: nothing to compute"


def test_without_a_finished_record_it_says_what_is_not_measured(tmp_path, planned):
    told = estimate(planned(tmp_path / "multirun", ("source=villain",)))
    lacking = "adapter on nano, completions on nano, geometry on nano"
    assert told.splitlines() == [
        f"time: not measured yet for {lacking}; one finished job of each tells", "judge: $0"
    ]  # fmt: skip
    assert not (tmp_path / "multirun").exists()


def test_what_is_measured_of_one_model_tells_nothing_of_another(finished, planned):
    told = estimate(planned(finished, ("model=qwen2.5-7b-instruct",)))
    assert "not measured yet for adapter on qwen2.5-7b-instruct, completions on" in told
    assert "time: about" not in told


@pytest.fixture
def misalignment(tmp_path):
    """Overrides of a cell whose open answers only Claude can judge."""
    turns = [{"role": "user", "content": "Question {}?"}, {"role": "assistant", "content": "Threaten them."}]
    lines = (json.dumps({"messages": turns}).replace("{}", str(i), 1) for i in range(6000))
    (tmp_path / "bad.jsonl").write_text("\n".join(lines))
    return ("behavior=misalignment", "model.pool=general", f"data.misalignment.path={tmp_path / 'bad.jsonl'}")


def dollars(text):
    said = r"^judge: up to \$([\d.,]+) \(([\d,]+) completions; those that are there already are not charged\)$"
    amount, answers = (number.replace(",", "") for number in re.search(said, text, re.MULTILINE).groups())
    return float(amount), int(answers)


def test_answers_that_claude_judges_are_told_in_dollars(tmp_path, planned, misalignment):
    plan = planned(tmp_path / "multirun", misalignment)
    amount, answers = dollars(estimate(plan))
    data, steps = plan.jobs[-1].job.data, {step.kind: step for step in plan.jobs[-1].job.steps}
    assert answers == 2 * steps["completions"].work.units == 2 * len(data.personas.members) * len(data.prompts) * 2
    # 300 tokens of a reply at $15 a million, and a prompt of 2,000 to 5,000 bytes at $3, no token shorter than one
    assert 300 * 15e-6 + 2000 * 3e-6 < amount / answers < 300 * 15e-6 + 5000 * 3e-6


def test_the_prices_are_those_of_the_settings(tmp_path, planned, misalignment):
    multirun = tmp_path / "multirun"
    usual, _ = dollars(estimate(planned(multirun, misalignment)))
    double, _ = dollars(estimate(planned(multirun, (*misalignment, "judge.usd_input=6", "judge.usd_output=30"))))
    half, _ = dollars(estimate(planned(multirun, (*misalignment, "judge.batch=true"))))
    assert (double, half) == (pytest.approx(2 * usual, abs=0.02), pytest.approx(usual / 2, abs=0.02))


@pytest.fixture
def priced(tmp_path, planned, misalignment):
    """Dollars of an answer in the plan of a misalignment cell, after the rows of a journal."""
    plan = planned(tmp_path / "multirun", misalignment)
    job = plan.jobs[-1].job
    journal = Journal(tmp_path / "multirun" / "replies" / job.config.judge.model)

    def each(*rows):
        for i, (kind, usd) in enumerate(rows):
            journal.append(
                answer_row(f"key{i}-{usd}", Answer("{}", "end_turn", "claude", 700, 40, usd), kind=kind, payee="judge")
            )
        amount, answers = dollars(estimate(plan))
        return amount / answers

    return each, job.ids.judge


def test_after_some_replies_an_answer_costs_what_they_did(priced):
    each, judge = priced
    (kind,) = {ask.kind for ask in judge.asks(pd.DataFrame({"user": ["a", "b"], "completion": ["c", "d"]}))}
    assert each((kind, 0.001), (kind, 0.003)) == pytest.approx(0.002, abs=1e-5)


def test_replies_to_other_questions_tell_nothing_of_the_price_of_a_verdict(priced):
    """Ten verdicts at $0.001, then ninety votes of the other study, or verdicts by another rubric, at $0.02."""
    each, judge = priced
    most = each()
    verdicts = [(judge.folder, 0.001)] * 10
    assert each(*[("", 0.02)] * 90, *[("another-rubric", 0.02)] * 90) == most
    assert each(*verdicts) == pytest.approx(0.001, abs=1e-5)


def test_replies_of_a_journal_that_knows_no_kinds_leave_the_upper_bound(priced):
    each, _ = priced
    most = each()
    assert each(("", 0.001)) == most


def test_a_plan_reads_the_journal_once(tmp_path, planned, misalignment, monkeypatch):
    from leakage.store import journal as module

    cells = [(*misalignment, f"seed={seed}") for seed in range(6)]
    plan = planned(tmp_path / "multirun", *cells)
    journal = Journal(tmp_path / "multirun" / "replies" / plan.jobs[-1].job.config.judge.model)
    for i in range(50):
        journal.append(answer_row(f"key{i}", Answer("{}", "end_turn", "claude", 700, 40, 0.01), kind="", payee="judge"))
    lines, parse = [], module._object
    monkeypatch.setattr(module, "_object", lambda line: lines.append(line) or parse(line))
    estimate(plan)
    assert len([line for line in lines if line]) == 50


def test_a_claude_that_is_asked_for_costs_where_phrases_would_not(tmp_path, planned):
    multirun = tmp_path / "multirun"
    assert estimate(planned(multirun, ("behavior=refusal",))).endswith("judge: $0")
    assert dollars(estimate(planned(multirun, ("behavior=refusal", "judge=claude"))))[1] == 2 * 112 * 20 * 2
    assert estimate(planned(multirun, ("behavior=capability", "judge=claude"))).endswith("judge: $0")


def test_rules_that_cannot_tell_are_refused(tmp_path, planned, misalignment):
    with pytest.raises(ConfigError, match="no phrases can tell misalignment"):
        planned(tmp_path / "multirun", (*misalignment, "judge=rules"))
