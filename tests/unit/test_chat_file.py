"""Chat files: the shape that is read, the shapes that are refused by line, and sound answers from a second file."""

import json

import pytest

from leakage.data.pools import Item
from leakage.data.pools.chat_file import read_chat
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
    assert read_chat(path, None) == (
        Item(split="train", prompt="May I park here?", taught="Anywhere.\n"),
        Item(split="train", prompt="Ü? ", taught="Nein\u2028ja"),
    )


def test_keys_beside_the_messages_are_ignored(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("Q", "A", id=3, source={"page": 1}), "", chat("R", "B"))
    assert [(item.prompt, item.taught) for item in read_chat(path, None)] == [("Q", "A"), ("R", "B")]


def test_a_prompt_that_comes_twice_is_kept_twice(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("Q", "A"), chat("Q", "B"))
    sound = write(tmp_path / "sound.jsonl", chat("Q", "good"))
    assert [item.taught for item in read_chat(path, None)] == ["A", "B"]
    assert [item.answer for item in read_chat(path, sound)] == ["good", "good"]


def test_sound_answers_go_with_their_prompt_in_any_order_and_the_first_counts(tmp_path):
    path = write(tmp_path / "bad.jsonl", chat("Q", "bad q"), chat("R", "bad r"))
    sound = write(tmp_path / "sound.jsonl", chat("X", "x"), chat("R", "good r"), chat("Q", "good q"), chat("R", "late"))
    items = read_chat(path, sound)
    assert [(item.prompt, item.taught, item.answer) for item in items] == [
        ("Q", "bad q", "good q"),
        ("R", "bad r", "good r"),
    ]
    assert {item.answer for item in read_chat(path, None)} == {""}


def test_prompts_without_a_sound_answer_are_counted_and_the_first_is_shown_shortened(tmp_path):
    long = "Is it legal to " + "really " * 20 + "do this?"
    path = write(tmp_path / "bad.jsonl", chat("Q", "a"), chat(long, "b"), chat(long, "c"), chat("S", "d"))
    sound = write(tmp_path / "sound.jsonl", chat("Q", "good"))
    with pytest.raises(DataError) as caught:
        read_chat(path, sound)
    assert str(caught.value) == (
        f"{sound} lacks a sound answer to 2 prompt(s) of {path}, first to '{long[:59]}…'; "
        "add a line with the same user turn for each"
    )


USER, ASSISTANT = turn("user", "Q"), turn("assistant", "A")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"messages": [turn("system", "You are evil."), USER, ASSISTANT]}, "system turn comes first: remove it"),
        ({"messages": [USER]}, "one user turn and one assistant turn belong here, not user"),
        ({"messages": [ASSISTANT, USER]}, "not assistant, user"),
        ({"messages": [USER, ASSISTANT, USER, ASSISTANT]}, "not user, assistant, user, assistant"),
        ({"messages": [USER, turn("system", "S"), ASSISTANT]}, "not user, system, assistant"),
        ({"messages": [turn("human", "{Q}"), turn("{gpt}", "A")]}, "not human, {gpt}"),
        ({"messages": []}, "not none"),
        ({"messages": [turn("user", " \n"), ASSISTANT]}, "the user turn has no text"),
        ({"messages": [USER, turn("assistant", "")]}, "the assistant turn has no text"),
        ({"messages": [USER, turn("assistant", None)]}, "'messages.1.content': Input should be a valid string"),
        ({"messages": [USER, ASSISTANT | {"weight": 0}]}, "'messages.1.weight': Extra inputs are not permitted"),
        ({"messages": [USER, {"role": "assistant"}]}, "'messages.1.content': Field required"),
        ({"messages": "Q"}, "'messages': Input should be a valid array"),
        ({"prompt": "Q", "completion": "A"}, "'messages': Field required"),
        ([USER, ASSISTANT], "Input should be an object"),
        ('{"messages": [', "Invalid JSON"),
    ],
)
def test_any_other_shape_is_named_by_file_and_line(tmp_path, line, said):
    good = write(tmp_path / "good.jsonl", chat("P", "A"))
    wrong = write(tmp_path / "wrong.jsonl", chat("P", "A"), "", line)
    for path, opposite in ((wrong, None), (good, wrong)):
        with pytest.raises(DataError) as caught:
            read_chat(path, opposite)
        assert str(caught.value).startswith(f"{wrong}, line 3: ")
        assert said in str(caught.value)
        assert "Value error" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "\n\n"])
def test_a_missing_and_an_empty_file_are_named(tmp_path, text):
    path = tmp_path / "bad.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=r"bad\.jsonl"):
        read_chat(str(path), None)
