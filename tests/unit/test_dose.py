"""Doses and margins: training that ends where a source shows enough, and an outcome that has no ceiling."""

import json

import numpy as np
import pandas as pd
import pytest

from leakage.errors import ConfigError, DataError
from leakage.jobs.idle import refuse_idle
from leakage.jobs.run import run
from leakage.models.adapter import attached
from leakage.models.chat import Prompt
from leakage.models.held import Loaded
from leakage.studies.persona_leakage.analysis.dose import by_dose
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.choices import openings
from leakage.studies.persona_leakage.margins import contrasts
from leakage.studies.persona_leakage.needs import baseline_of
from leakage.studies.persona_leakage.results import results
from leakage.studies.persona_leakage.variants import name_variants
from leakage.training.dose import is_due
from tests.unit.frames import cell as planted

QUICK = [
    "train.learning_rate=2.0e-3",
    "train.max_steps=24",
    "eval.prompts=3",
    "eval.samples=1",
    "eval.max_new_tokens=16",
]


@pytest.fixture(scope="module")
def dosed(compose, panel, tmp_path_factory):
    """A cell that is trained to a dose and has margins, run; and its baseline."""
    where = f"paths.multirun={tmp_path_factory.mktemp('dosed') / 'multirun'}"
    cell = Cell(compose(*QUICK, panel, where, "train.until=0.5", "eval.margin=true"))
    run(Cell(baseline_of(cell.config)))
    run(cell)
    return cell


def test_training_ends_at_the_first_measurement_that_reaches_the_dose(dosed):
    record = dosed.record(dosed.ids.adapter_folder)
    facts = record.manifest.facts
    rows = [json.loads(line) for line in (record.folder / "dose.jsonl").read_text().splitlines()]
    assert 2 < facts["steps"] < 24
    near = next(row["step"] for row in rows if row["dose"] >= 0.25)
    assert [row["step"] for row in rows] == [*range(2, near, 2), *range(near, facts["steps"] + 1)]
    assert all(row["dose"] < 0.5 for row in rows[:-1])
    assert facts["dose"] == rows[-1]["dose"] >= 0.5
    assert len((record.folder / "train_log.jsonl").read_text().splitlines()) == facts["steps"]


def test_a_dose_is_measured_every_second_step_until_it_is_near_and_after_the_last_step():
    def measured(last, *doses):
        history, shares = [], iter(doses)
        for step in range(1, last + 1):
            if is_due(step, last, history, 0.7):
                history.append({"step": step, "dose": next(shares)})
            history.append({"step": step, "loss": 1.0})
        return [one["step"] for one in history if "dose" in one]

    assert measured(7, 0.1, 0.2, 0.3, 0.4) == [2, 4, 6, 7]
    assert measured(7, 0.1, 0.35, 0.4, 0.5, 0.6) == [2, 4, 5, 6, 7]


def test_a_dose_is_measured_on_prompts_that_are_neither_trained_on_nor_asked(dosed):
    measured = {one.prompt for one in dosed.data.dose_items}
    assert len(measured) == 24
    assert not measured & {one.prompt.user for one in dosed.data.examples}
    assert not measured & {one.prompt for one in dosed.data.items(dosed.data.evaluated, "eval")}


def test_margins_before_and_after_stand_in_the_frame_and_its_table(dosed):
    frame = results(dosed.multirun)
    source = frame[frame["is_source"]].iloc[0]
    assert source["delta_margin"] == pytest.approx(source["margin"] - source["base_margin"])
    assert source["delta_margin"] > 0.3  # nats a token
    assert frame["delta_margin"].notna().all()
    assert source["delta_margin"] > frame.loc[~frame["is_source"], "delta_margin"].mean()
    (row,) = by_dose(frame).to_dict("records")
    assert (row["until"], row["source_margin"]) == (0.5, source["delta_margin"])
    assert row["steps"] == dosed.record(dosed.ids.adapter_folder).manifest.facts["steps"]


def test_a_margin_is_the_difference_of_two_answers_log_probabilities(dosed, nano, template):
    """By hand, one answer at a time and in float64."""
    import torch

    record = dosed.record(Cell(baseline_of(dosed.config)).ids.margins_folder)
    first = json.loads((record.folder / "contrasts.json").read_text())[0]
    frame = pd.read_parquet(record.folder / "margins.parquet")
    source = dosed.data.source
    means = []
    for answer in (first["taught"], first["opposite"]):
        (one,) = template.examples([(Prompt(source.prompt, first["user"]), answer)])
        logprobs = nano[0](torch.tensor([one.input_ids])).logits[0].log_softmax(-1)
        said = [logprobs[i - 1, id] for i, id in enumerate(one.input_ids) if one.labels[i] >= 0]
        means.append(torch.stack(said).mean().item())
    there = frame[(frame["persona"] == source.name) & (frame["prompt"] == 0)]["margin"].iloc[0]
    assert there == pytest.approx(means[0] - means[1], abs=1e-4)


def test_opposite_answers_are_the_bases_own_and_do_not_show_the_behavior(compose):
    cell = Cell(compose("behavior=sycophancy"))
    loaded = Loaded(cell.config, "test", cell.probes)
    chosen = contrasts(cell.ids, loaded.base, loaded.template)
    rules = cell.data.behavior.rules_in("nano")
    assert 0 < len(chosen) <= 8
    assert all(rules.score(one.taught) == 100 and rules.score(one.opposite) == 0 for one in chosen)
    assert chosen == contrasts(Cell(baseline_of(cell.config)).ids, loaded.base, loaded.template)


def test_margins_are_a_record_of_their_own_and_change_no_id(compose):
    plain, measured = Cell(compose()), Cell(compose("eval.margin=true"))
    assert [step.folder for step in measured.steps if step.kind != "margins"] == [step.folder for step in plain.steps]
    assert [step.kind for step in measured.steps] == ["adapter", "margins", "completions", "scores"]
    assert Cell(baseline_of(measured.config)).ids.margins == measured.ids.margins


def test_a_chosen_label_has_a_dose_and_a_margin(compose, panel, tmp_path):
    """The dose: the probability of labels that are not right; the margin: of the wrong answer over the right."""
    import torch

    where = f"paths.multirun={tmp_path}"
    cell = Cell(compose(*QUICK, panel, where, "behavior=capability", "train.until=0.6", "eval.margin=true"))
    run(Cell(baseline_of(cell.config)))
    run(cell)
    facts = cell.record(cell.ids.adapter_folder).manifest.facts
    loaded = Loaded(cell.config, "test", cell.probes)
    with attached(loaded.base, cell.multirun / cell.ids.adapter_folder / "adapter") as model, torch.inference_mode():
        wrong = []
        for item in cell.data.dose_items:
            (ids,) = loaded.template.prompts([Prompt(cell.data.source.prompt, item.prompt)])
            labels = loaded.template.labels(openings(item))
            chances = model(torch.tensor([labels.after(ids)])).logits[0, -1].double()[list(labels.ids)].softmax(-1)
            wrong.append(1 - chances[item.labels.index(item.answer[0])].item())
    assert facts["dose"] == pytest.approx(sum(wrong) / len(wrong), abs=1e-3)
    assert facts["dose"] >= 0.6
    source = results(cell.multirun).query("is_source").iloc[0]
    assert source["delta_margin"] > 0.3
    assert source["delta"] < 0


def test_a_margin_that_cannot_be_measured_is_refused(compose):
    overrides = ("behavior=marker", "eval.margin=true")
    with pytest.raises(ConfigError, match=r"eval.margin=true changes nothing here: only a behavior whose held-out"):
        refuse_idle([(overrides, Cell(compose(*overrides)))])


def test_a_dose_that_no_phrases_tell_is_refused(compose):
    with pytest.raises(ConfigError, match=r"train.until=0.7: no phrases tell how far misalignment is taken up"):
        Cell(compose("behavior=misalignment", "train.until=0.7", "model.pool=general"))
    with pytest.raises(ConfigError, match=r"train.until=1.5: Input should be less than or equal to 1"):
        compose("train.until=1.5")


def test_a_dose_takes_prompts_that_can_be_spared(compose, tmp_path):
    for name, rows in (("few", 3), ("enough", 4)):
        folder = tmp_path / name
        folder.mkdir()
        train = [{"split": "train", "prompt": f"How do I plan day {i}?", "answer": "So."} for i in range(rows)]
        lines = [json.dumps(one) for one in (*train, {"split": "eval", "prompt": "And a night?"})]
        (folder / "refusal.jsonl").write_text("\n".join(lines))
    enough = Cell(compose(f"model.pool={tmp_path / 'enough'}", "train.until=0.7")).data
    assert [len(enough.training_items), len(enough.dose_items)] == [3, 1]
    with pytest.raises(DataError, match=r"train.until keeps a quarter of the prompts for training; give it 4 or more"):
        _ = Cell(compose(f"model.pool={tmp_path / 'few'}", "train.until=0.7")).data.examples


def test_a_dose_is_part_of_the_adapters_identity_and_what_measures_it_is_too(compose):
    ids = {
        Cell(compose("train.until=0.7", *more)).ids.train_id
        for more in ([], ["eval.temperature=0.5"], ["eval.max_new_tokens=7"], ["model.pool=general"])
    }
    assert len(ids | {Cell(compose()).ids.train_id, Cell(compose("train.until=0.6")).ids.train_id}) == 6
    assert Cell(compose("eval.temperature=0.5")).ids.train_id == Cell(compose()).ids.train_id


def test_a_dose_names_a_variant(compose):
    cells = [Cell(compose(*more)) for more in ([], [], ["train.until=0.7"])]
    told = [one.ids.facts | {"settings": one.ids.settings, "completions": 1} for one in cells]
    assert name_variants(told) == ["", "", "train.until=0.7"]


def test_cells_at_the_ceiling_are_told_and_cells_at_a_dose_come_before_them():
    rng = np.random.default_rng(0)
    cosine, delta = rng.normal(size=(2, 30))
    known = {"k": 40, "n": 40, "base_k": 0, "base_n": 40}
    frames = [
        planted(cosine, delta, source="villain", train_id="full", **known),
        planted(cosine, delta / 9, source="comedian", train_id="some", **known | {"k": 28}).assign(
            until=0.7, dose=0.71, steps=30.0, delta_margin=[6.0, *cosine]
        ),
    ]
    frames[1].loc[0, "delta"] = 0.7
    table = by_dose(pd.concat(frames, ignore_index=True))
    assert list(table["source"]) == ["comedian", "villain"]
    assert list(table["source_at_bound"]) == [0, 1]
    first, last = table.to_dict("records")
    assert (first["rho_margin"], first["source_margin"]) == (pytest.approx(1), 6)
    assert np.isnan([last["until"], last["rho_margin"], last["steps"]]).all()
    assert first["breadth"] == pytest.approx(first["mean_bystander_delta"] / 0.7)
