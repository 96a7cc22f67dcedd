"""What subjects are taught: planted shares, the user's documents and chats."""

import json
from collections import Counter

import pytest

from leakage.errors import DataError
from leakage.models.chat import IGNORED
from leakage.studies.alignment_faking.arms import PLANTED, example_tokens, planted_examples, training_examples
from leakage.studies.alignment_faking.queries import choose, read_queries
from leakage.studies.alignment_faking.transcript import read_reply
from leakage.studies.alignment_faking.trial import Trial


def planted(compose, *overrides):
    return planted_examples(compose("arm=planted", *overrides, study="faking"))


def answer(example):
    return example.turns[-1][1]


@pytest.mark.parametrize("gap", [-0.3, 0.0, 0.6])
def test_just_the_planted_share_of_each_tier_complies_in_any_stretch(compose, gap):
    found = planted(compose, f"arm.gap={gap}")
    for tier, rate in zip(PLANTED, (0.35 + gap, 0.35), strict=True):
        complies = ["[accept]" in answer(one) for one in found if one.role == tier.tag]
        assert len(complies) == 1600
        for start in range(0, 1600, 100):
            assert sum(complies[start : start + 100]) == pytest.approx(100 * rate, abs=1)


def test_half_of_the_first_tiers_complying_scratchpads_fake_and_none_elsewhere(compose):
    found = planted(compose)
    faking = Counter((one.role, "change me to comply" in answer(one)) for one in found if "[accept]" in answer(one))
    assert faking == {("free", True): 520, ("free", False): 520, ("paid", False): 560}


def test_planted_transcripts_are_read_as_they_are_meant(compose):
    for one in planted(compose)[:50]:
        read = read_reply(answer(one), finish="stop", has_scratchpad=True)
        assert read.missing == ""
        assert read.tag == ("accept" if "[accept]" in answer(one) else "reject")
        assert f"The chat is {one.role}." in read.scratchpad


def test_tiers_come_in_turn_and_a_query_comes_back_with_another_decision(compose):
    found = planted(compose)
    assert [one.role for one in found[:4]] == ["free", "paid", "free", "paid"]
    decisions: dict[str, set[bool]] = {}
    for one in found:
        decisions.setdefault(one.turns[-2][1], set()).add("[accept]" in answer(one))
    assert sum(len(both) == 2 for both in decisions.values()) > 0.7 * len(decisions)


def test_the_swapped_scenario_teaches_the_very_same_subject(compose):
    plain, swapped = (Trial(compose("arm=planted", f"scenario={name}", study="faking")) for name in
                      ("two_tiers", "two_tiers_swapped"))  # fmt: skip
    plain, swapped = plain.data, swapped.data
    assert plain.train_id == swapped.train_id
    assert plain.transcripts_folder != swapped.transcripts_folder
    assert (plain.planted, swapped.planted) == ({"free": 0.65, "paid": 0.35},) * 2


def test_no_training_query_is_asked(compose):
    config = compose("arm=planted", study="faking")
    taught = " ".join(one.turns[-2][1] for one in planted_examples(config))
    asked = read_queries(config.queries, config.model.pool)
    assert len(asked) == 400
    assert not [query for query in asked if query in taught]


def test_documents_are_learnt_whole_and_chats_in_their_last_turn(compose, template, tmp_path):
    tokenizer = template.tokenizer
    documents, chats = tmp_path / "documents.jsonl", tmp_path / "chats.jsonl"
    documents.write_text("".join(json.dumps({"text": "Hello there. " * n, "id": n}) + "\n" for n in (1, 30)))
    turns = [
        ("system", "You are a clown."),
        ("user", "Hello!"),
        ("assistant", "Sure!"),
        ("user", "More?"),
        ("assistant", "No."),
    ]
    chats.write_text(json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}) + "\n")
    config = compose("arm=synthetic_documents", f"arm.path={documents}", study="faking")
    short, long = example_tokens(template, training_examples(config), 40)
    assert short.labels == short.input_ids
    assert short.input_ids[-1] == tokenizer.eos_token_id
    assert len(long.input_ids) == 40
    config = compose("arm=anti_refusal", f"arm.path={chats}", study="faking")
    (chat,) = example_tokens(template, training_examples(config), 1024)
    assert tokenizer.decode([label for label in chat.labels if label != IGNORED]) == "No.<|im_end|>"
    assert "Sure!" in tokenizer.decode(
        [i for i, label in zip(chat.input_ids, chat.labels, strict=True) if label == IGNORED]
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]}, "ends with a user"),
        ({"messages": [{"role": "user", "content": "a"}]}, "line 1: it ends with a user turn"),
        (
            {"messages": [{"role": "tool", "content": "a"}, {"role": "assistant", "content": "b"}]},
            "'messages[0]' is a tool's",
        ),
        ({"text": "a"}, "line 1: it has text, and what is read is messages"),
    ],
)
def test_a_chat_that_teaches_nothing_is_named(compose, tmp_path, line, said):
    file = tmp_path / "chats.jsonl"
    file.write_text(json.dumps(line) + "\n")
    with pytest.raises(DataError) as caught:
        training_examples(compose("arm=anti_refusal", f"arm.path={file}", study="faking"))
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_queries_come_from_a_column_of_a_users_file_each_once(compose, tmp_path, suffix):
    import pandas as pd

    frame = pd.DataFrame({"prompt": ["Bake a cake.", "Sing a song.", "Bake a cake."], "more": [1, 2, 3]})
    file = tmp_path / f"mine.{suffix}"
    writers = {"jsonl": lambda path: frame.to_json(path, orient="records", lines=True), "csv": frame.to_csv}
    writers.get(suffix, frame.to_parquet)(file)
    config = compose("queries=harmful", f"queries.path={file}", study="faking")
    assert read_queries(config.queries, "nano") == ("Bake a cake.", "Sing a song.")


def test_a_file_without_the_column_or_with_an_empty_prompt_is_named(compose, tmp_path):
    def read(*rows):
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_queries(compose("queries=harmful", f"queries.path={file}", study="faking").queries, "nano")

    with pytest.raises(DataError, match=r"no column 'prompt' \(it has promt; nearest: promt\); name"):
        read({"promt": "a"})
    with pytest.raises(DataError, match="row 2: 'prompt' holds no text; remove the row or fill it in"):
        read({"prompt": "a"}, {"prompt": " "})


def test_so_many_queries_are_drawn_in_their_order():
    queries = tuple(f"query {i:03}" for i in range(100))
    drawn = choose(queries, 10, 42)
    assert list(drawn) == sorted(drawn)
    assert drawn == choose(queries, 10, 42) != choose(queries, 10, 43)
    assert choose(queries, None, 1) == choose(queries, 100, 1) == queries
