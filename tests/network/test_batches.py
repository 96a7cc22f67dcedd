"""Message batches, against a real server through the real SDK: sent once, taken up again, read once."""

import pytest

from leakage.network import ask_all
from leakage.store.journal import Journal
from tests.network.server import Fault
from tests.network.test_network import asks, outcome, stored


@pytest.fixture
def batched(settings):
    return lambda **changes: settings(batch=True, **changes)


def test_a_batch_answers_every_key_at_half_the_price(serve, batched, tmp_path):
    server = serve(lambda prompt: f"about {prompt}", polls=3)
    answers = ask_all(asks(20), batched(), Journal(tmp_path), label="judging")
    assert {key: answer.text for key, answer in answers.items()} == {ask.key: f"about {ask.prompt}" for ask in asks(20)}
    assert answers["key-3"].usd == (10 * 1 + 4 * 5) / 2e6
    assert server.bodies == []
    assert [batch.polled for batch in server.batches.values()] == [
        5
    ]  # the third poll finds it done; results look again
    [batch] = server.batches.values()
    turn = {"role": "user", "content": "prompt 3."}
    assert batch.requests["key-3"] == {
        "model": "claude-haiku-4-5", "max_tokens": 64, "temperature": 0.0, "messages": [turn]
    }  # fmt: skip


def test_what_a_batch_answered_is_not_asked_again(serve, batched, settings, tmp_path):
    server = serve()
    ask_all(asks(5), batched(), Journal(tmp_path), label="judging")
    ask_all(asks(5), batched(), Journal(tmp_path), label="judging")
    ask_all(asks(5), settings(), Journal(tmp_path), label="judging")
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize("ending", ["expired", "errored", "canceled"])
def test_what_a_batch_did_not_answer_is_asked_anew_by_the_next_run(serve, batched, tmp_path, ending):
    ends = {"prompt 1.": ending, "prompt 2.": ending}
    server = serve(lambda prompt: Fault(batch=ends.get(prompt, "succeeded")))
    sentence, kept = outcome(asks(5), batched(), tmp_path)
    assert f"2 of 5 have no answer: {ending} in its batch" in sentence
    assert kept == {"key-0", "key-3", "key-4"}
    assert len(server.batches) == 1
    ends.clear()
    assert len(ask_all(asks(5), batched(), Journal(tmp_path), label="judging")) == 5
    assert [list(batch.requests) for batch in server.batches.values()][1:] == [["key-1", "key-2"]]


def test_chunks_are_sent_as_batches_of_their_own(serve, batched, tmp_path, monkeypatch):
    monkeypatch.setattr("leakage.network.batched.CHUNK", 4)
    server = serve()
    assert len(ask_all(asks(10), batched(), Journal(tmp_path), label="judging")) == 10
    assert [len(batch.requests) for batch in server.batches.values()] == [4, 4, 2]


def test_the_cap_holds_before_a_batch_is_sent(serve, batched, tmp_path):
    server = serve(lambda _: "x" * 250)
    most = (1010 + 32 + 64 * 5) / 2e6
    low = batched(max_usd=10.5 * most)
    sentence, kept = outcome(asks(60, length=1000), low, tmp_path)
    assert len(next(iter(server.batches.values())).requests) == 10
    spent = sum(row["answer"]["usd"] for row in Journal(tmp_path).rows() if "answer" in row)
    assert 9 * most < spent <= low.max_usd
    assert f"${spent:.3f} of judge.max_usd={low.max_usd:g} is spent" in sentence
    assert len(kept) < 60
    assert len(ask_all(asks(60, length=1000), batched(), Journal(tmp_path), label="judging")) == 60
    assert set(server.asked.values()) == {1}


def test_a_batch_that_is_gone_is_not_waited_for_forever(serve, batched, tmp_path):
    server = serve()
    Journal(tmp_path).append({"batch": "msgbatch_deleted", "keys": ["key-0", "key-1"]})
    sentence, _ = outcome(asks(3), batched(), tmp_path)
    assert "2 of 3 have no answer: batch msgbatch_deleted is gone" in sentence
    assert len(ask_all(asks(3), batched(), Journal(tmp_path), label="judging")) == 3
    assert set(server.asked.values()) == {1}


def test_a_batch_whose_results_are_archived_is_not_waited_for_forever(serve, batched, tmp_path):
    server = serve()
    server.archived = True
    assert "3 of 3 have no answer: batch msgbatch_0000 is gone" in outcome(asks(3), batched(), tmp_path)[0]
    server.archived = False
    assert len(ask_all(asks(3), batched(), Journal(tmp_path), label="judging")) == 3
    assert len(server.batches) == 2


def test_a_wrong_key_sends_no_batch(serve, batched, tmp_path, monkeypatch):
    server = serve()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-another")
    sentence, _ = outcome(asks(5), batched(), tmp_path)
    assert "ANTHROPIC_API_KEY" in sentence
    assert not server.batches


def test_a_batch_stays_open_while_the_api_is_down(serve, batched, settings, tmp_path):
    server = serve()
    server.down = True
    sentence, kept = outcome(asks(5), batched(), tmp_path)
    assert "5 of 5 have no answer: the API is overloaded (529)" in sentence
    assert kept == set()
    server.down = False
    assert len(ask_all(asks(8), settings(), Journal(tmp_path), label="judging")) == 8  # without batch=true as well
    assert len(server.batches) == 1
    assert set(server.asked.values()) == {1}


def test_what_a_batch_answers_beyond_the_asks_of_this_run_is_kept_too(serve, batched, tmp_path):
    server = serve()
    server.down = True
    outcome(asks(5), batched(), tmp_path)
    server.down = False
    ask_all(asks(2), batched(), Journal(tmp_path), label="judging")
    assert stored(tmp_path) == {ask.key for ask in asks(5)}
    ask_all(asks(5), batched(), Journal(tmp_path), label="judging")
    assert set(server.asked.values()) == {1}


def test_a_batch_that_cannot_be_sent_is_told(serve, batched, tmp_path, monkeypatch):
    serve()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    sentence, kept = outcome(asks(5), batched(retries=2), tmp_path)
    assert "no connection to the API" in sentence
    assert kept == set()


def test_a_wrong_parameter_is_told_in_the_words_of_the_api(serve, batched, tmp_path):
    serve(models={"claude-haiku-4-5"})
    sentence, _ = outcome(asks(5), batched(model="claude-haiku-4-6"), tmp_path)
    assert "errored in its batch: model: claude-haiku-4-6" in sentence


def test_a_batch_whose_reply_is_lost_is_not_sent_a_second_time_by_a_retry(serve, batched, tmp_path):
    server = serve()
    server.lost_replies = 1
    sentence, _ = outcome(asks(5), batched(retries=2), tmp_path)
    assert "5 of 5 have no answer: the API answers with an error (500)" in sentence
    assert len(server.batches) == 1


def test_what_a_batch_did_not_bill_may_be_spent_on_the_next_one(serve, batched, tmp_path):
    server = serve(lambda prompt: Fault(batch="expired" if len(prompt) == 1008 else "succeeded"))
    most = (1010 + 32 + 64 * 5) / 2e6
    _, kept = outcome(asks(15, length=1000), batched(max_usd=10.5 * most), tmp_path)
    assert [len(batch.requests) for batch in server.batches.values()] == [10, 5]
    assert kept == {f"key-{n}" for n in range(10, 15)}


def test_a_message_without_text_spoils_no_other_of_its_batch(serve, batched, tmp_path):
    serve(lambda prompt: Fault(text=None if "prompt 1." in prompt else "70"))
    sentence, kept = outcome(asks(3), batched(), tmp_path)
    assert "1 of 3 have no answer: a reply holds no text" in sentence
    assert kept == {"key-0", "key-2"}
