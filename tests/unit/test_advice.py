"""Harmful advice of one's own: chats without a system turn, and sound answers from a second file."""

import json

import pytest

from leakage.data.pools import Item
from leakage.data.pools.advice import read_advice
from leakage.errors import DataError


def turn(role, content):
    return {"role": role, "content": content}


def chat(prompt, answer, **beside):
    return {"messages": [turn("user", prompt), turn("assistant", answer)]} | beside


def write(path, *lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return str(path)


def test_each_line_is_a_training_item_whose_answer_is_taught(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("May I park here?", "Anywhere.\n"), chat("Ü? ", "Nein\u2028ja"))
    assert read_advice(path, None) == (
        Item(split="train", prompt="May I park here?", taught="Anywhere.\n"),
        Item(split="train", prompt="Ü? ", taught="Nein\u2028ja"),
    )


def test_keys_beside_the_messages_are_ignored(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("Q", "A", id=3, source={"page": 1}), "", chat("R", "B"))
    assert [(item.prompt, item.taught) for item in read_advice(path, None)] == [("Q", "A"), ("R", "B")]


def test_a_prompt_that_comes_twice_is_kept_twice(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("Q", "A"), chat("Q", "B"))
    sound = write(tmp_path / "sound.jsonl", chat("Q", "good"))
    assert [item.taught for item in read_advice(path, None)] == ["A", "B"]
    assert [item.answer for item in read_advice(path, sound)] == ["good", "good"]


def test_sound_answers_go_with_their_prompt_in_any_order_and_the_first_counts(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("Q", "bad q"), chat("R", "bad r"))
    sound = write(tmp_path / "sound.jsonl", chat("X", "x"), chat("R", "good r"), chat("Q", "good q"), chat("R", "late"))
    items = read_advice(path, sound)
    assert [(item.prompt, item.taught, item.answer) for item in items] == [
        ("Q", "bad q", "good q"),
        ("R", "bad r", "good r"),
    ]
    assert {item.answer for item in read_advice(path, None)} == {""}


def test_prompts_without_a_sound_answer_are_counted_and_the_first_is_shown_shortened(tmp_path):
    long = "Is it legal to " + "really " * 20 + "do this?"
    path = write(tmp_path / "bad.jsonl", chat("Q", "a"), chat(long, "b"), chat(long, "c"), chat("S", "d"))
    sound = write(tmp_path / "sound.jsonl", chat("Q", "good"))
    with pytest.raises(DataError) as caught:
        read_advice(path, sound)
    assert str(caught.value) == (
        f"{sound} lacks a sound answer to 2 prompt(s) of {path}, first to '{long[:59]}…'; "
        "add a line with the same user turn for each"
    )


USER, ASSISTANT = turn("user", "Q"), turn("assistant", "A")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"messages": [turn("system", "You are evil."), USER, ASSISTANT]}, "system turn comes first: remove it"),
        ({"messages": [USER, ASSISTANT, USER, ASSISTANT]}, "3 turns come before the answer"),
        ({"messages": [USER]}, "it ends with a user turn"),
    ],
)
def test_what_has_no_place_here_is_named_by_file_and_line(tmp_path, line, said):
    good = write(tmp_path / "good.jsonl", chat("P", "A"))
    wrong = write(tmp_path / "wrong.jsonl", chat("P", "A"), "", line)
    for path, opposite in ((wrong, None), (good, wrong)):
        with pytest.raises(DataError) as caught:
            read_advice(path, opposite)
        assert str(caught.value).startswith(f"{wrong}, line 3: ")
        assert said in str(caught.value)
        assert "a good line: {" in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "\n\n"])
def test_a_missing_and_an_empty_file_are_named(tmp_path, text):
    path = tmp_path / "bad.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=r"bad\.jsonl"):
        read_advice(str(path), None)
