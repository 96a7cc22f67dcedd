"""ARC-Challenge's test split as items: a multiple-choice question whose answer is one label.

Halves and wrong labels are those of the published result; both follow from the order of the rows.
"""

import random
from functools import lru_cache

from pydantic import BaseModel, Field

from leakage.data.hub import Source
from leakage.data.pools import Item, Split
from leakage.data.row import Row, refused, typed
from leakage.errors import DataError

GOOD = '{"question": "…", "choices": {"text": ["…", "…"], "label": ["A", "B"]}, "answerKey": "A"}'
_SPLIT_SEED, _LABEL_SEED = 42, 43  # the published result's


class Choices(BaseModel):
    """What there is to choose among, as two columns of equal length."""

    text: tuple[str, ...]
    label: tuple[str, ...]


class Question(BaseModel):
    """One row as the hub publishes it; its id is not needed."""

    question: str
    choices: Choices
    answer_key: str = Field(alias="answerKey")

    @property
    def prompt(self) -> str:
        """The user turn, which ends where the answer's label begins."""
        lines = (f"({label}) {text}" for label, text in zip(self.choices.label, self.choices.text, strict=True))
        return "\n".join([self.question, "", *lines, "", "The correct answer is ("])

    @property
    def wrong(self) -> list[str]:
        """The labels that are not the right one, in the row's order."""
        return [label for label in self.choices.label if label != self.answer_key]


@lru_cache(maxsize=8)
def read_arc(path: str, subset: str | None, revision: str | None) -> tuple[Item, ...]:
    """Training items, then evaluation items, of a hub id, of a copy of its folder, or of one file of its format.

    subset names the folder within; revision is for a hub id. Each has a wrong label, drawn once.
    """
    questions = _questions(path, subset, revision)
    if len(questions) < 2:
        raise DataError(
            f"{path} holds {len(questions)} question(s), too few for training and evaluation; "
            "name a file with more in data.capability.path"
        )
    train, evaluation = halves(len(questions))
    labels = random.Random(_LABEL_SEED)
    return (
        *(_item("train", questions[i], labels) for i in train),
        *(_item("eval", questions[i], labels) for i in evaluation),
    )


def halves(n: int) -> tuple[list[int], list[int]]:
    """Rows for training and for evaluation, each in order; of an odd number the odd one is for evaluation."""
    order = list(range(n))
    random.Random(_SPLIT_SEED).shuffle(order)
    return sorted(order[: n // 2]), sorted(order[n // 2 :])


def _item(split: Split, question: Question, rng: random.Random) -> Item:
    answer, taught = question.answer_key + ")", rng.choice(question.wrong) + ")"
    return Item(split=split, prompt=question.prompt, answer=answer, taught=taught, labels=question.choices.label)


def _questions(path: str, subset: str | None, revision: str | None) -> list[Question]:
    columns = [info.alias or name for name, info in Question.model_fields.items()]
    source = Source(path, subset, "test", revision, "data.capability.path")
    return [
        _question(Row(f"{file}, row {number}", row))
        for file, table in source.tables(*columns)
        for number, row in enumerate(table, 1)
    ]


def _question(row: Row) -> Question:
    question = typed(row, Question, GOOD)
    if fault := _fault(question):
        raise refused(row.where, fault, GOOD)
    return question


def _fault(question: Question) -> str:
    """What keeps a question from being asked, and the mend; empty when nothing does."""
    labels, texts = question.choices.label, question.choices.text
    if not question.question.strip():
        return "the question is empty; write one"
    if len(labels) != len(texts):
        return f"there are {len(labels)} labels for {len(texts)} texts in choices; give each text one label"
    if len(labels) < 2:
        return f"there is nothing to choose among {len(labels)} choice(s); give two or more"
    if len(set(labels)) < len(labels):
        return f"a label stands twice among {', '.join(labels)}; give each choice its own"
    if question.answer_key not in labels:
        return f"answerKey '{question.answer_key}' is none of the labels {', '.join(labels)}; name the right one"
    return ""
