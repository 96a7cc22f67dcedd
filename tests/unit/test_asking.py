"""Multiple choice: log-probabilities of an item's own labels, in both engines and through the pipeline."""

import numpy as np
import pytest
import torch

from leakage.data.pools import Item
from leakage.engine.fast import FastEngine
from leakage.engine.reference import ReferenceEngine
from leakage.errors import DataError
from leakage.models.chat import Prompt, encode, render
from leakage.store.blocks import Blocks
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.generate import ask, label_tokens
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
def questions(nano, compose):
    """Prompts of unequal length, each with two to four choices."""
    _, tokenizer = nano
    items = Cell(compose("behavior=capability")).data.prompts[:4]
    texts = [render(tokenizer, Prompt(system, item.prompt)) for system in SYSTEMS for item in items]
    letters = [ids[0] for ids in encode(tokenizer, list("ABCD"))]
    return encode(tokenizer, texts), [letters[: 2 + i % 3] for i in range(len(texts))]


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
    compose, engines, nano, tmp_path
):
    model, tokenizer = nano
    cell = Cell(compose("behavior=capability", "source=none", "eval.prompts=3"))
    frame = ask(cell.ids, engines[0], model, tokenizer, Blocks(tmp_path))
    assert len(frame) == 112 * 3
    assert (frame["completion"] == frame["right"]).mean() > 0.95  # it knows its bank by heart
    row = frame.iloc[7]
    shares = np.exp(row["logprobs"]) / np.exp(row["logprobs"]).sum()
    assert row["p_right"] == pytest.approx(shares["ABCD".index(row["right"])])
    verdicts = choice_judge().read(frame, label="")
    assert (verdicts["hit"] == (frame["completion"] == frame["right"])).all()
    assert verdicts["score"].iloc[7] == pytest.approx(100 * row["p_right"])


def test_arc_with_three_four_and_five_choices_and_numeric_labels_is_asked_over_its_own_labels(
    compose, engines, nano, tmp_path
):
    model, tokenizer = nano
    labels = ["ABC", "ABCD", "ABCDE", "1234"]
    file = write(tmp_path / "arc.parquet", [row(i, labels[i % 4], labels[i % 4][i % 3]) for i in range(60)])
    cell = Cell(compose("behavior=capability", "source=none", f"data.capability.path={file}", "eval.prompts=30"))
    frame = ask(cell.ids, engines[0], model, tokenizer, Blocks(tmp_path))
    for i, item in enumerate(cell.data.prompts):
        rows = frame[frame["prompt"] == i]
        assert rows["logprobs"].map(len).unique().tolist() == [len(item.labels)]
        assert set(rows["completion"]) <= set(item.labels)
        assert rows["p_right"].between(0, 1).all()
    assert {len(item.labels) for item in cell.data.prompts} == {3, 4, 5}
    assert ("1", "2", "3", "4") in {item.labels for item in cell.data.prompts}


@pytest.mark.parametrize(("labels", "answer"), [(("A", "A1"), "A)"), (("A", "B"), "C)"), ((), "A)")])
def test_labels_that_cannot_be_told_apart_are_an_error(nano, labels, answer):
    _, tokenizer = nano
    item = Item(split="eval", prompt="Which one?", answer=answer, labels=labels)
    with pytest.raises(DataError, match=r"the question 'Which one\?'"):
        label_tokens(tokenizer, item)
