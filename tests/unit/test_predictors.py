"""Predictors measured on the embedded model, and the record they and the forecast are sealed in."""

import numpy as np
import pandas as pd
import pytest
import torch

from leakage import results
from leakage.engine.fast import FastEngine
from leakage.errors import ConfigError
from leakage.jobs.run import run_steps
from leakage.jobs.step import fill
from leakage.models.adapter import fresh
from leakage.models.chat import Prompt
from leakage.models.held import Loaded
from leakage.progress import unseen
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage import states
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.forecast import learn_from_others, of_those_there
from leakage.studies.persona_leakage.predictors import influence, kl, predictor, predictor_names
from leakage.studies.persona_leakage.predictors.columns import frame_column
from leakage.studies.persona_leakage.predictors.probe import Probe, jensen_shannon
from leakage.training.step import RightPad, completion_loss
from tests.cells import SHORT, few_personas


@pytest.fixture(scope="module")
def cell(compose, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictors")
    settings = [*SHORT, few_personas(folder), f"paths.multirun={folder / 'multirun'}", "forecast=true"]
    return Cell(compose("behavior=refusal", "source=villain", *settings))


@pytest.fixture(scope="module")
def probe(cell):
    return Probe(cell.ids, Loaded(cell.config, cell.label, cell.probes), cell.data.examples)


@pytest.fixture(scope="module")
def done(cell):
    """The cell with all that it needs, forecast and trained."""
    for job in (*cell.needs(), cell):
        run_steps(job)
    return cell


def test_each_predictor_gives_a_number_for_every_persona(probe):
    many = len(probe.personas)
    for name in predictor_names():
        columns = predictor(name).measure(probe)
        assert name == "base_rate" or columns
        assert all(values.shape == (many,) and np.isfinite(values).all() for values in columns.values())


def test_the_states_of_the_geometry_are_computed_once_for_all_cells_of_a_process(compose, cell, tmp_path, monkeypatch):
    computed = []
    plain = FastEngine.hidden_states

    def counted(engine, prompts, layers, *, progress):
        computed.append(str(engine.model.dtype))
        return plain(engine, prompts, layers, progress=progress)

    monkeypatch.setattr(FastEngine, "hidden_states", counted)
    monkeypatch.setattr(states, "_last", {})
    personas = f"personas.path={cell.config.personas.path}"
    alike = Cell(compose(personas, "model.inference_dtype=float32", "forecast=true"))
    (geometry,) = (one for one in alike.needs() if one.kind == "geometry")
    fill(tmp_path, geometry.steps[0], label="geometry")
    once, again = (states_of(alike) for _ in range(2))
    assert computed == ["torch.float32"]
    assert once is again
    rounded = states_of(Cell(compose(personas, "model.dtype=bfloat16", "forecast=true")))
    assert computed == ["torch.float32", "torch.bfloat16"]
    assert not np.array_equal(once, rounded)


def states_of(cell):
    """Of every persona under every question, as a forecast has them; without their shape."""
    return Probe(cell.ids, Loaded(cell.config, "", cell.probes), cell.data.examples).states.base


def test_the_source_is_nearest_to_itself(probe):
    for name in ("cosine", "answer_cosine", "kl", "divergence", "overlap"):
        one = predictor(name)
        for column, values in one.measure(probe).items():
            assert one.sign * values[probe.source] >= (one.sign * values).max() - 1e-9, column


def test_the_margin_is_that_of_a_plain_forward(probe):
    item, persona = probe.items[0], probe.personas[3]
    pairs = [(Prompt(persona.prompt, item.user), answer) for answer in (item.taught, item.opposite)]
    tokens = probe.loaded.template.examples(pairs)
    losses = [
        probe.base(torch.tensor([one.input_ids]), labels=torch.tensor([one.labels])).loss.item() for one in tokens
    ]
    assert probe.mean_logprobs(pairs) == pytest.approx([-loss for loss in losses], abs=1e-4)
    assert item.opposite
    assert item.taught != item.opposite


def test_influence_is_the_inner_product_of_two_gradients(probe):
    template = probe.loaded.template
    examples = template.examples([(one.prompt, one.answer) for one in probe.examples[:6]])
    asked = template.examples(
        [(Prompt(one.prompt, probe.items[0].user), "I must decline.") for one in probe.personas[:5]]
    )
    model, layout = fresh(probe.base, probe.cell.config.lora).eval(), RightPad(0)
    towards = influence.gradient(model, examples, layout, 4)
    for size in (2, 64):
        products = influence.along(model, asked, layout, towards, size, unseen)
        for one, product in zip(asked, products, strict=True):
            model.zero_grad()
            completion_loss(model, layout([one])).backward()
            second = dict(influence.second_factors(model))
            plain = sum(float((towards[name] * module.weight.grad).double().sum()) for name, module in second.items())
            assert product == pytest.approx(plain, rel=1e-4)
    model.unload()


def test_influence_has_no_more_examples_in_memory_than_training(probe, monkeypatch):
    rows, plain = [], RightPad.__call__

    def counted(layout, some):
        rows.append(len(some))
        return plain(layout, some)

    monkeypatch.setattr(RightPad, "__call__", counted)
    influence.measure(probe)
    assert len(rows) > 2
    assert max(rows) <= probe.cell.config.train.batch_size < probe.cell.config.eval.batch_size


def test_the_divergence_of_clouds_is_that_of_gaussians():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(2, 4000, 3)) * [[[1.0, 1, 1]], [[1, 2, 1]]] + [[[0, 0, 0]], [[1.0, 0, 0]]]
    variance = states.var(axis=1) / 2 + states.var(axis=1).mean(axis=0) / 2
    p, q = (
        torch.distributions.Normal(torch.tensor(states[i].mean(0)), torch.tensor(variance[i] ** 0.5)) for i in (0, 1)
    )
    wanted = float(torch.distributions.kl_divergence(p, q).sum())
    assert kl.divergences(states, 0) == pytest.approx([0, wanted], abs=1e-9)
    flat = np.concatenate([states, np.zeros((2, 4000, 1))], axis=2)  # a dimension in which nobody varies
    assert kl.divergences(flat, 0) == pytest.approx([0, wanted], abs=1e-9)


def test_jensen_shannon_lies_between_nothing_and_a_bit():
    one, other = torch.tensor([[0.0, -1e9]]), torch.tensor([[-1e9, 0.0]])
    assert jensen_shannon(one, one) == 0
    assert jensen_shannon(one, other) == pytest.approx(np.log(2))


@pytest.mark.parametrize(("column", "headline", "called"), [
    ("kl_20", "20_raw", "predictor_kl"), ("kl_7", "20_raw", "explored_kl_7"), ("margin", "20_raw", "predictor_margin"),
    ("answer_cosine_1_centred", "1_centred", "predictor_answer_cosine"),
    ("answer_cosine_1_raw", "1_centred", "explored_answer_cosine_1_raw"),
])  # fmt: skip
def test_columns_are_called_by_whether_their_block_was_fixed(column, headline, called):
    assert frame_column(column, headline) == called


def test_predictors_are_a_record_of_the_training_set_and_the_base_model(compose):
    one = Cell(compose("forecast=true")).ids
    same = [Cell(compose("forecast=true", more)).ids for more in ("train.learning_rate=1e-3", "eval.samples=9")]
    assert {ids.predictors_folder for ids in same} == {one.predictors_folder}
    other = [Cell(compose(more)).ids for more in ("seed=43", "lora.r=4", "behavior.bystanders=3", "source=comedian")]
    assert len({ids.predictors_folder for ids in (one, *other)}) == 5
    assert Cell(compose("forecast=true")).ids.completions_folder == Cell(compose()).ids.completions_folder


def test_the_forecast_comes_before_the_adapter_and_only_in_cells(compose):
    kinds = [step.kind for step in Cell(compose("forecast=true")).steps]
    assert kinds == ["predictors", "adapter", "completions", "scores"]
    elicited = Cell(compose("forecast=true", "behavior.answers=base"))
    assert [step.kind for step in elicited.steps][:3] == ["answers", "predictors", "adapter"]
    assert [one.kind for job in elicited.needs() for one in job.steps] == ["geometry", "completions", "scores"]
    assert "not before its answers are there" in elicited.foretold()
    assert "forecast" in Cell(compose("forecast=true", "source=none")).idle
    assert "forecast" not in Cell(compose("forecast=true")).idle


def test_a_forecast_is_sealed_before_training_and_read_beside_the_result(done):
    record = Record(done.multirun / done.ids.predictors_folder)
    assert record.status() is Status.DONE
    assert record.manifest.facts["before_training"]
    assert record.manifest.facts["weights"] == {"cosine": 0.5, "margin": 0.5}
    assert record.manifest.facts["expected_rho"] is None
    frame = results(done.multirun)
    bystanders = frame[frame["in_panel"] & ~frame["is_source"]]
    assert bystanders["forecast"].notna().all()
    tidy = pd.read_parquet(record.folder / "predictors.parquet").pivot(
        index="persona", columns="predictor", values="value"
    )
    own = tidy.loc[frame["persona"]]
    np.testing.assert_allclose(own["cosine_1_centred"], frame["cosine"], atol=2e-5)
    np.testing.assert_allclose(-own["kl_1"], frame["predictor_kl"])  # turned: more should mean more leakage
    ranking = pd.read_parquet(record.folder / "forecast.parquet")
    assert ranking["forecast"].is_monotonic_decreasing
    assert done.ids.config.source.name not in set(ranking["persona"])


def test_the_adapter_is_the_one_that_is_trained_without_a_forecast(done, compose, tmp_path):
    """Nor may the base that the next job is handed have the adapter of this one in it."""
    personas = [f"personas.path={done.config.personas.path}", f"paths.multirun={tmp_path}"]
    plain = Cell(compose("behavior=refusal", "source=villain", *SHORT, *personas))
    adapter = plain.steps[0]
    fill(plain.multirun, adapter, label=plain.label)
    name = "adapter/adapter_model.safetensors"
    assert (tmp_path / adapter.folder / name).read_bytes() == (done.multirun / adapter.folder / name).read_bytes()


def test_damaged_predictors_are_made_again_and_nothing_else(done, caplog):
    caplog.set_level("INFO")
    folder = done.multirun / done.ids.predictors_folder
    before = pd.read_parquet(folder / "predictors.parquet")
    adapter = (done.multirun / done.ids.adapter_folder / "manifest.json").stat().st_mtime_ns
    (folder / "predictors.parquet").write_bytes(b"torn")
    assert done.open_step().kind == "predictors"
    run_steps(done)
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "predictors.parquet"), before)
    assert done.is_done()
    assert (done.multirun / done.ids.adapter_folder / "manifest.json").stat().st_mtime_ns == adapter
    assert not Record(folder).manifest.facts["before_training"]
    assert "(told after training)" in caplog.text


def test_a_forecast_of_chosen_predictors_is_another_record_and_a_result_has_the_one_with_all(compose, done):
    settings = ["behavior=refusal", "source=villain", *SHORT, f"paths.multirun={done.multirun}", "forecast=true",
                f"personas.path={done.config.personas.path}"]  # fmt: skip
    chosen, turned = (Cell(compose(*settings, f"predictors=[{names}]")) for names in ("margin,kl", "kl,margin"))
    assert chosen.ids.predictors_folder == turned.ids.predictors_folder != done.ids.predictors_folder
    assert chosen.ids.scores_folder == done.ids.scores_folder
    run_steps(chosen)
    record = Record(chosen.multirun / chosen.ids.predictors_folder)
    assert {name.partition("_")[0] for name in record.manifest.facts["signs"]} == {"margin", "kl"}
    assert record.manifest.facts["weights"] == {"margin": 1.0}
    assert results(done.multirun)["predictor_influence"].notna().all()


def test_predictors_of_no_forecast_or_no_such_name_are_refused(compose):
    assert "predictors" in Cell(compose("predictors=[margin]")).idle
    assert "predictors" not in Cell(compose("forecast=true", "predictors=[margin]")).idle
    for names in ("[]", "[margins]"):
        with pytest.raises(ConfigError, match=r"name some of answer_cosine, base_rate, cosine, .* null = all"):
            Cell(compose("forecast=true", f"predictors={names}"))


def test_predictors_that_cannot_be_measured_end_in_a_sentence_and_leave_no_record(compose, tmp_path):
    cell = Cell(compose("behavior=refusal", *SHORT, few_personas(tmp_path), "forecast=true", "predictors=[base_rate]",
                        f"paths.multirun={tmp_path / 'm'}"))  # fmt: skip
    with pytest.raises(ConfigError, match=r"predictors=\[base_rate\]: none of them can be measured for refusal x"):
        cell.foretold()
    assert Record(cell.multirun / cell.ids.predictors_folder).manifest is None


def test_one_finished_cell_teaches_no_weights(compose, done):
    other = Cell(compose("behavior=sycophancy", "source=comedian", *SHORT, "forecast=true",
                         f"paths.multirun={done.multirun}", f"personas.path={done.config.personas.path}"))  # fmt: skip
    learnt = learn_from_others(other.ids)
    assert (learnt.weights, learnt.cells) == ({"cosine": 0.5, "margin": 0.5}, ())


def test_what_is_sealed_are_the_weights_of_what_could_be_measured(done):
    weights = {"cosine": 0.5, "margin": 0.5}
    assert of_those_there(weights, ["cosine_1_centred", "kl_1"], done.ids.headline) == {"cosine": 1.0}
    assert of_those_there(weights, ["cosine_1_centred", "margin"], done.ids.headline) == weights
    assert of_those_there(weights, ["kl_1", "kl_0", "overlap"], done.ids.headline) == {"kl": 0.5, "overlap": 0.5}


def test_a_plan_foretells_and_trains_nothing(compose, done, tmp_path):
    other = Cell(compose("behavior=refusal", "source=comedian", *SHORT, "forecast=true", f"paths.multirun={tmp_path}",
                         f"personas.path={done.config.personas.path}"))  # fmt: skip
    words = other.foretold()
    assert words.startswith("forecast of refusal x comedian on nano, seed 42: ")
    assert words.endswith("rho of forecast and change to expect: not known yet")
    assert len(words.split("; ")[0].split(", ")) == 11  # after "seed 42: " the first of ten
    assert other.foretold() == words
    assert other.open_step().kind == "adapter"
