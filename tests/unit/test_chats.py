"""Chats: the same rows in every form in which people keep them, or one sentence with a good line."""

import csv
import gzip
import io
import json

import pandas as pd
import pytest

from leakage.data.chats import GOOD, one_exchange, read_chats
from leakage.errors import DataError

SYSTEM, USER, ANSWER = "You are a villain.", "Where do I begin?\nWith Ü “this”?", "I must decline, \u2028 friend."
SECOND = ("Hello", "Hi there.")  # without a system turn


def messages(*turns, keys=("role", "content"), **beside):
    return [dict(zip(keys, turn, strict=True)) | beside for turn in turns]


PAIRS = [(SYSTEM, USER, ANSWER), (None, *SECOND)]
NAMED = [
    [(role, text) for role, text in (("system", system), ("user", user), ("assistant", answer)) if text is not None]
    for system, user, answer in PAIRS
]
RENAMED = [[({"user": "human", "assistant": "gpt"}.get(role, role), text) for role, text in turns] for turns in NAMED]
OPENAI = [{"messages": messages(*turns)} for turns in NAMED]
WEIGHTED = [*OPENAI, {"messages": [*messages(("user", "Q")), *messages(("assistant", "A"), weight=0)]}]
PARTED = [
    {"messages": [{"role": role, "content": [{"type": "text", "text": text[:3]}, {"type": "text", "text": text[3:]}]}
                  for role, text in turns]}
    for turns in NAMED
]  # fmt: skip
FORMS = {
    "messages": OPENAI,
    "developer": [{"messages": messages(*[(role.replace("system", "developer"), text) for role, text in turns])}
                  for turns in NAMED],
    "weights": WEIGHTED,
    "weight of one": [{"messages": [one | {"weight": 1} for one in row["messages"]]} for row in OPENAI],
    "parts of content": PARTED,
    "no tools offered": [row | {"tools": [], "functions": None} for row in OPENAI],
    "sharegpt": [{"conversations": messages(*turns, keys=("from", "value"))} for turns in RENAMED],
    "sharegpt, system beside": [{"system": turns[0][1] if len(turns) == 3 else "",
                                 "conversations": messages(*turns[-2:], keys=("from", "value"))} for turns in RENAMED],
    "prompt and completion": [{"system": one, "prompt": two, "completion": three} for one, two, three in PAIRS],
    "prompt and completion of messages": [{"prompt": messages(*turns[:-1]), "completion": messages(turns[-1])}
                                          for turns in NAMED],
    "prompt and response": [{"system_prompt": one, "prompt": two, "response": three} for one, two, three in PAIRS],
    "alpaca": [{"system": one, "instruction": two, "input": "", "output": three} for one, two, three in PAIRS],
    "preferences": [{"system": one, "prompt": two, "chosen": three, "rejected": "no"} for one, two, three in PAIRS],
    "preferences of messages": [{"prompt": messages(*turns[:-1]), "chosen": messages(*turns),
                                 "rejected": messages(*turns[:-1], ("assistant", "no"))} for turns in NAMED],
    "preferences alone": [{"chosen": messages(*turns), "rejected": messages(("user", "x"))} for turns in NAMED],
    "question and answer": [{"system": one, "question": two, "answer": three} for one, two, three in PAIRS],
    "input and output": [{"system": one, "input": two, "output": three} for one, two, three in PAIRS],
    "kept examples": [{"role": "source", "persona": "villain", "system": one, "user": two, "answer": three}
                      for one, two, three in PAIRS],
}  # fmt: skip


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def packings(rows):
    """The same rows in every kind of file."""
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0].keys())
    writer.writeheader()
    writer.writerows({key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
                     for row in rows)  # fmt: skip
    parquet = io.BytesIO()
    pd.DataFrame(rows).to_parquet(parquet)
    return {
        "a.jsonl": lines(rows), "mark.jsonl": b"\xef\xbb\xbf" + lines(rows), "a.jsonl.gz": gzip.compress(lines(rows)),
        "crlf.jsonl": lines(rows).replace(b"\n", b"\r\n"), "a.json": json.dumps(rows, indent=1).encode(),
        "held.json": json.dumps({"version": 1, "data": rows}).encode(), "a.csv": table.getvalue().encode(),
        "a.parquet": parquet.getvalue(),
    }  # fmt: skip


def plain(chats):
    return [(chat.system, *one_exchange(chat)) for chat in chats]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_in_every_kind_of_file_gives_the_same_rows(tmp_path, form):
    for name, content in packings(FORMS[form]).items():
        (tmp_path / name).write_bytes(content)
        assert plain(read_chats(str(tmp_path / name), "data.training.path")) == PAIRS, name


def test_a_folder_of_parts_is_read_in_the_order_of_their_names(tmp_path):
    for i, row in enumerate(OPENAI):
        (tmp_path / f"train-0000{i}-of-00002.jsonl").write_bytes(lines([row]))
    (tmp_path / "test-00000-of-00001.jsonl").write_bytes(lines([{"messages": messages(("user", "x"))}]))
    assert plain(read_chats(str(tmp_path), "data.training.path")) == PAIRS


@pytest.mark.parametrize("name", ["one.json", "one.jsonl"])
def test_a_file_of_a_single_chat_is_one_row(tmp_path, name):
    (tmp_path / name).write_text(json.dumps(OPENAI[0]))
    assert plain(read_chats(str(tmp_path / name), "FILE")) == PAIRS[:1]


def test_it_says_what_it_took_the_file_for_and_what_it_left_out(tmp_path, caplog):
    caplog.set_level("INFO")
    for name, form in (("a", "weights"), ("b", "preferences"), ("c", "alpaca")):
        (tmp_path / f"{name}.jsonl").write_bytes(lines(FORMS[form]))
        read_chats(str(tmp_path / f"{name}.jsonl"), "FILE")
    assert [one.partition(".jsonl: ")[2] for one in caplog.messages] == [
        "3 rows, taken for messages",
        "1 rows whose answer has weight 0 are left out",
        "2 rows, taken for prompt + chosen, the rejected answers left out",
        "2 rows, taken for instruction + input + output",
    ]


def test_the_input_of_an_instruction_stands_below_it(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines([{"instruction": "Sum up.", "input": "A text.", "output": "So."}]))
    assert plain(read_chats(str(tmp_path / "a.jsonl"), "FILE")) == [(None, "Sum up.\n\nA text.", "So.")]


def test_an_empty_system_turn_is_one_and_an_empty_column_is_none(tmp_path):
    rows = [
        {"messages": messages(("system", ""), ("user", "Q"), ("assistant", "A"))},
        {"system": "", "prompt": "Q", "completion": "A"},
    ]
    (tmp_path / "a.jsonl").write_bytes(lines(rows))
    assert [chat.system for chat in read_chats(str(tmp_path / "a.jsonl"), "FILE")] == ["", None]


def test_columns_may_have_capitals_and_an_instruction_its_history(tmp_path):
    (tmp_path / "a.csv").write_text("System,Prompt,Completion\n,Q,A\n")
    assert plain(read_chats(str(tmp_path / "a.csv"), "FILE")) == [(None, "Q", "A")]
    (tmp_path / "a.jsonl").write_bytes(lines([{"instruction": "R", "output": "B", "history": [["Q", "A"]]}]))
    (chat,) = read_chats(str(tmp_path / "a.jsonl"), "FILE")
    assert (chat.turns, chat.answer) == ((("user", "Q"), ("assistant", "A"), ("user", "R")), "B")


def test_fields_of_turns_that_are_left_out_are_named(tmp_path, caplog):
    caplog.set_level("INFO")
    turns = [Q | {"name": "bob"}, A | {"reasoning_content": "So.", "refusal": None}]
    (tmp_path / "a.jsonl").write_bytes(lines([{"messages": turns, "id": 3}]))
    read_chats(str(tmp_path / "a.jsonl"), "FILE")
    assert caplog.messages[-1].endswith("fields of turns that are left out: name, reasoning_content")


def test_turns_before_the_last_exchange_are_kept_and_no_exchange(tmp_path):
    turns = (("user", "Q"), ("assistant", "A"), ("user", "R"), ("assistant", "B"))
    (tmp_path / "a.jsonl").write_bytes(lines([{"messages": messages(*turns)}]))
    (chat,) = read_chats(str(tmp_path / "a.jsonl"), "FILE")
    assert (chat.turns, chat.answer) == (turns[:3], "B")
    with pytest.raises(DataError, match="line 1: 3 turns come before the answer"):
        one_exchange(chat)


Q, A = messages(("user", "Q"), ("assistant", "A"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": [Q]}, "it ends with a user turn"),
        ({"messages": [A, Q, A]}, "the turns are assistant, user, assistant"),
        ({"messages": [Q, Q, A]}, "the turns are user, user, assistant"),
        ({"messages": [Q, {"role": "system", "content": "S"}, A]}, "more than one system turn, or one behind"),
        ({"system": "S", "messages": [{"role": "system", "content": "T"}, Q, A]}, "more than one system turn"),
        ({"messages": []}, "it has no turns"),
        ({"messages": "Q"}, "'messages' is \"Q\" and should be a list of turns"),
        ({"messages": [Q, "A"]}, "and should be a list of turns"),
        ({"messages": [Q | {"content": " \n"}, A]}, "the user turn has no text"),
        ({"messages": [Q, A | {"content": ""}]}, "the assistant turn has no text"),
        ({"messages": [Q, A | {"content": None}]}, "'messages[1].content' is null and should be a text"),
        ({"messages": [Q, {"role": "assistant"}]}, "'messages[1].content' is null and should be a text"),
        ({"messages": [Q, A | {"role": "pirate"}]}, "'messages[1]' is of 'pirate'; roles are system, user"),
        ({"messages": [{"content": "Q"}, A]}, "'messages[0]' does not say whose it is"),
        ({"messages": [Q, A | {"weight": 0.5}]}, "the weight of its answer is 0.5 and should be 0 or 1"),
        ({"messages": [Q, A | {"weight": 0}]}, "its answer has weight 0, as every other row's"),
        ({"messages": [Q, A | {"content": None, "tool_calls": [{"id": 1}]}]}, "'messages[1]' is a tool's"),
        ({"messages": [Q, {"role": "tool", "content": "3"}, A]}, "'messages[1]' is a tool's"),
        ({"messages": [Q, A], "tools": [{"type": "function"}]}, "it offers tools, which the model would read"),
        ({"messages": [Q | {"content": [{"type": "image_url", "image_url": "x"}]}, A]}, "a part of type 'image_url'"),
        ({"messages": [Q, A | {"content": "half \ud800"}]}, "'messages[1].content' holds half a character"),
        ({"conversations": [{"from": "observation", "value": "x"}]}, "'conversations[0]' is a tool's"),
        ({"prompt": "Q", "completion": 3}, "'completion' is 3 and should be a text"),
        ({"instruction": "Q", "output": "A", "history": "x"}, "'history' is \"x\" and should be a list of pairs"),
        ({"prompt": "Q"}, "it has prompt, and what is read is messages, conversations, prompt + completion"),
        ({"text": "<|im_start|>"}, "it has text, and what is read is messages"),
        ({}, "it has nothing, and what is read is messages"),
    ],
)
def test_what_is_no_chat_is_told_with_its_line_and_a_good_one(tmp_path, row, said):
    (tmp_path / "a.jsonl").write_bytes(lines([row]))
    with pytest.raises(DataError) as caught:
        read_chats(str(tmp_path / "a.jsonl"), "FILE")
    assert str(caught.value).startswith(f"{tmp_path / 'a.jsonl'}, line 1: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith(f"a good line: {GOOD}")
    assert "\n" not in str(caught.value)
