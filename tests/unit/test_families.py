"""Every family of chat models is taught and asked at the right place: what its template makes of a conversation.

The matrix goes on in test_families_engine.py (what is computed) and test_families_training.py (what is learnt); who is
in it and who is refused stands in tests/families/table.py.
"""

from datetime import datetime

import pytest

from leakage.errors import DataError
from leakage.models.chat import IGNORED, Prompt, fold
from leakage.models.check import Probes
from leakage.models.load import check, load_template
from tests.families.loaded import answers, pairs, prompts
from tests.families.table import EVERY, FAMILIES, REFUSED, RIGHT

LETTERS = [tuple("ABCD"), tuple("ABCDEFGHIJKL")]
DIGITS = tuple("1234")
TWELVE = tuple(map(str, range(1, 13)))


@pytest.fixture(scope="module", params=EVERY)
def asked(request, families):
    """A family's template."""
    return request.param, load_template(request.param.settings(families(request.param)))


def whole_chat(template, prompt, answer):
    """Ids of the chat as the template writes it, by transformers alone."""
    turns = (*prompt.turns, ("assistant", answer))
    turns = fold(turns) if template.settings.system == "user" else turns
    text = template.tokenizer.apply_chat_template(
        [{"role": role, "content": content} for role, content in turns], tokenize=False, **template.settings.arguments
    )
    for form in ("%d %b %Y", "%Y-%m-%d"):
        text = text.replace(datetime.now().strftime(form), datetime(2024, 7, 26).strftime(form))
    return template.tokenizer(text, add_special_tokens=False)["input_ids"]


def labelled(tokens):
    return [label for label in tokens.labels if label != IGNORED]


def test_of_an_answer_the_words_and_the_token_that_ends_its_turn_are_learnt(asked):
    family, template = asked
    for (_, answer), tokens in zip(pairs(), template.examples(pairs()), strict=True):
        learnt = labelled(tokens)
        assert template.tokenizer.decode(learnt).lstrip() == family.taught.format(answer=answer)
        assert [token in template.stops for token in learnt] == [False] * (len(learnt) - 1) + [True]


def test_an_example_is_the_whole_chat_up_to_the_end_of_its_last_turn(asked):
    _, template = asked
    for (prompt, answer), tokens in zip(pairs(), template.examples(pairs()), strict=True):
        whole = whole_chat(template, prompt, answer)
        start = tokens.labels.count(IGNORED)
        end = start + next(i for i, token in enumerate(whole[start:]) if token in template.stops)
        assert tokens.input_ids == whole[: end + 1]
        assert tokens.labels == [IGNORED] * start + whole[start : end + 1]
        assert answer == "no" or answer not in template.tokenizer.decode(whole[:start])


def test_what_a_model_is_asked_is_what_stands_before_a_taught_answer(asked):
    _, template = asked
    everything = [(prompt, answer) for prompt in prompts() for answer in answers()]
    open_prompts = template.prompts([prompt for prompt, _ in everything])
    for opened, tokens in zip(open_prompts, template.examples(everything), strict=True):
        assert tokens.input_ids[: len(opened)] == opened
        assert tokens.labels[: len(opened)] == [IGNORED] * len(opened)
        assert tokens.labels[len(opened)] != IGNORED


def test_a_prompt_holds_its_system_text_and_its_question(asked):
    _, template = asked
    for prompt in prompts():
        text = template.tokenizer.decode(template.prompts([prompt])[0])
        assert prompt.user in text
        assert (prompt.system or "") in text


def stand_where_training_puts_them(template, labels):
    """Behind any prompt the shared tokens and then the label's own is what an example of that label begins with."""
    found = template.labels(labels)
    for prompt in prompts():
        before = found.after(template.prompts([prompt])[0])
        for label, id in zip(labels, found.ids, strict=True):
            (tokens,) = template.examples([(prompt, label)])
            assert tokens.input_ids[: len(before) + 1] == [*before, id], (prompt, label)
            assert tokens.labels[len(before)] == id
    assert len(set(found.ids)) == len(labels)
    return found


@pytest.mark.parametrize("labels", [*LETTERS, DIGITS], ids=["four letters", "twelve letters", "four digits"])
def test_a_label_stands_where_training_puts_it(asked, labels):
    _, template = asked
    found = stand_where_training_puts_them(template, labels)
    assert [template.tokenizer.decode([id]).strip() for id in found.ids] == list(labels)


def test_twelve_numbers_stand_there_too_or_are_refused_where_two_begin_alike(asked):
    family, template = asked
    one, two, ten = (labelled(template.examples([(Prompt(None, "Hello"), label)])[0]) for label in ("1", "2", "10"))
    if family.style.digits == 1:
        begins = next(i for i, pair in enumerate(zip(one, two, strict=True)) if len(set(pair)) == 2)
        assert ten[: begins + 1] == one[: begins + 1]  # a 1 either way
        with pytest.raises(DataError, match=r"1, 2, .*, 12 cannot be told apart by one token in .*; give .* letters"):
            template.labels(TWELVE)
    else:
        stand_where_training_puts_them(template, TWELVE)


def test_nothing_is_found_wrong_with_a_family_that_is_right(asked, families):
    family, _ = asked
    probes = Probes(prompts(), (LETTERS[0], DIGITS))
    assert check(family.settings(families(family)), family.adapter(), probes) == []


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_a_family_that_cannot_be_right_is_refused_in_one_sentence(refused, families):
    family = refused.family
    settings = family.settings(families(family), **refused.settings)
    (sentence,) = check(settings, family.adapter(**refused.lora), Probes(prompts(), (LETTERS[0],)))
    assert sentence == refused.sentence.format(path=settings.path, name=settings.name)


def test_the_matrix_knows_at_least_18_families():
    assert len(RIGHT) >= 18
    assert {family.name for family in FAMILIES} == {family.name for family in RIGHT} | {
        refused.family.name for refused in REFUSED if not refused.settings and not refused.lora
    }
