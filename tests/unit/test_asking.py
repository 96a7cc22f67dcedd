"""Multiple choice: log-probabilities of an item's own labels, in both engines and through the pipeline."""

import re

import numpy as np
import pytest
import torch

from leakage.data.pools import Item
from leakage.engine.fast import FastEngine
from leakage.engine.reference import ReferenceEngine
from leakage.errors import DataError
from leakage.models.chat import Prompt, encode
from leakage.store.blocks import Blocks
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.choices import openings, right_label
from leakage.studies.persona_leakage.generate import ask
from leakage.studies.persona_leakage.judges.rules import choice_judge
from tests.unit.test_arc import row, write

SYSTEMS = ["You are a villain.", "You are a helpful assistant of few words.", None]


def quiet(_):
    return None


@pytest.fixture(scope="module")
def engines(nano):
    model, tokenizer = nano
    stop = frozenset([tokenizer.eos_token_id])
    return FastEngine(model, tokenizer, 4, stop), ReferenceEngine(model, tokenizer, stop)


@pytest.fixture
def questions(template, compose):
    """Prompts of unequal length, each with two to four choices."""
    items = Cell(compose("behavior=capability")).data.prompts[:4]
    prompts = template.prompts([Prompt(system, item.prompt) for system in SYSTEMS for item in items])
    letters = [ids[0] for ids in encode(template.tokenizer, list("ABCD"))]
    return prompts, [letters[: 2 + i % 3] for i in range(len(prompts))]


def test_the_engines_agree_and_the_logits_say_the_same(engines, questions, nano):
    prompts, choices = questions
    fast, reference = (engine.choice_logprobs(prompts, choices, progress=quiet) for engine in engines)
    assert [len(one) for one in fast] == [len(one) for one in choices]
    for one, other in zip(fast, reference, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    model, _ = nano
    with torch.inference_mode():
        logits = model(torch.tensor([prompts[5]])).logits[0, -1]
    np.testing.assert_allclose(fast[5], logits.log_softmax(-1)[choices[5]].numpy(), rtol=1e-9, atol=1e-9)


def test_a_question_is_answered_by_its_likeliest_label_and_the_right_ones_share_is_kept(
    compose, engines, template, tmp_path
):
    cell = Cell(compose("behavior=capability", "source=none", "eval.prompts=3"))
    frame = ask(cell.ids, engines[0], template, Blocks(tmp_path))
    assert len(frame) == 112 * 3
    assert (frame["completion"] == frame["right"]).mean() > 0.95  # it knows its bank by heart
    row = frame.iloc[7]
    shares = np.exp(row["logprobs"]) / np.exp(row["logprobs"]).sum()
    assert row["p_right"] == pytest.approx(shares["ABCD".index(row["right"])])
    verdicts = choice_judge().read(frame, label="")
    assert (verdicts["hit"] == (frame["completion"] == frame["right"])).all()
    assert verdicts["score"].iloc[7] == pytest.approx(100 * row["p_right"])


def test_arc_with_three_four_and_five_choices_and_numeric_labels_is_asked_over_its_own_labels(
    compose, engines, template, tmp_path
):
    labels = ["ABC", "ABCD", "ABCDE", "1234"]
    file = write(tmp_path / "arc.parquet", [row(i, labels[i % 4], labels[i % 4][i % 3]) for i in range(60)])
    cell = Cell(compose("behavior=capability", "source=none", f"data.capability.path={file}", "eval.prompts=30"))
    frame = ask(cell.ids, engines[0], template, Blocks(tmp_path))
    for i, item in enumerate(cell.data.prompts):
        rows = frame[frame["prompt"] == i]
        assert rows["logprobs"].map(len).unique().tolist() == [len(item.labels)]
        assert set(rows["completion"]) <= set(item.labels)
        assert rows["p_right"].between(0, 1).all()
    assert {len(item.labels) for item in cell.data.prompts} == {3, 4, 5}
    assert ("1", "2", "3", "4") in {item.labels for item in cell.data.prompts}


@pytest.mark.parametrize(
    ("labels", "answer", "said"),
    [(("A", "A1", "B"), "A)", "cannot be told apart"), (("A", "B"), "C)", "must begin with"), ((), "A)", "(none)")],
)
def test_labels_that_cannot_be_told_apart_are_an_error(template, labels, answer, said):
    item = Item(split="eval", prompt="Which one?", answer=answer, labels=labels)
    with pytest.raises(DataError, match=re.escape(said)):
        template.labels(openings(item))


def test_the_right_label_is_the_longest_that_fits():
    twelve = tuple(map(str, range(1, 13)))
    assert right_label(Item(split="eval", prompt="?", answer="11)", labels=twelve)) == "11"
    assert right_label(Item(split="eval", prompt="?", answer="1)", labels=twelve)) == "1"


def test_labels_that_begin_alike_are_told_apart_where_they_part(template):
    ids = encode(template.tokenizer, ["A", "1", ")"])
    labels = template.labels(["A)", "A1)"])
    assert (labels.dropped, labels.shared, labels.ids) == (0, tuple(ids[0]), (ids[2][0], ids[1][0]))
