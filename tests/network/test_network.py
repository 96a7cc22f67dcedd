"""Questions one at a time, against a real server through the real SDK: what arrives, what fails, what it costs."""

import logging
from time import monotonic

import pytest

from leakage.errors import JudgeError, StoreError
from leakage.network import Answer, Ask, ask_all, mean_usd
from leakage.network.asks import answer_row, stored_answers
from leakage.store.journal import Journal
from tests.network.server import KEY, Fault, refused


def asks(count, length=1):
    return [Ask(f"key-{n}", f"prompt {n}" + "." * length) for n in range(count)]


def outcome(questions, settings, folder):
    """The sentence of the JudgeError, and the keys that are in the journal."""
    with pytest.raises(JudgeError) as error:
        ask_all(questions, settings, Journal(folder), label="judging")
    assert "\n" not in str(error.value)
    return str(error.value), stored(folder)


def stored(folder):
    return {row["key"] for row in Journal(folder).rows() if "answer" in row}


def test_every_key_gets_the_answer_to_its_prompt(serve, settings, tmp_path):
    server = serve(lambda prompt: f"about {prompt}")
    answers = ask_all(asks(20), settings(), Journal(tmp_path), label="judging")
    assert list(answers) == [ask.key for ask in asks(20)]
    assert all(answers[ask.key].text == f"about {ask.prompt}" for ask in asks(20))
    assert answers["key-3"] == Answer("about prompt 3.", "end_turn", "claude-haiku-4-5", 10, 4, 30 / 1e6, "hm")
    assert set(server.asked.values()) == {1}


def test_model_tokens_temperature_and_one_user_turn_are_sent(serve, settings, tmp_path):
    server = serve()
    ask_all([Ask("a", "rate this")], settings(), Journal(tmp_path), label="judging")
    turn = {"role": "user", "content": "rate this"}
    assert server.bodies == [
        {"model": "claude-haiku-4-5", "max_tokens": 64, "temperature": 0.0, "messages": [turn]}
    ]  # fmt: skip
    assert server.headers[0]["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-4-7", "claude-haiku-5-5"])
def test_a_model_that_knows_no_temperature_is_sent_none(serve, settings, tmp_path, model):
    server = serve()
    ask_all(asks(1), settings(model=model), Journal(tmp_path), label="judging")
    assert "temperature" not in server.bodies[0]


def test_what_is_in_the_journal_is_not_asked_again_and_costs_nothing(serve, settings, tmp_path):
    server = serve()
    first = ask_all(asks(5), settings(), Journal(tmp_path), label="judging")
    again = ask_all(asks(5), settings(max_usd=0.0), Journal(tmp_path), label="judging")
    assert again == first
    assert server.asked.total() == 5


@pytest.mark.parametrize("batch", [False, True])
def test_the_journal_says_what_kind_of_question_a_reply_is_to(serve, settings, tmp_path, batch):
    serve()
    questions = [Ask("a", "one", kind="verdict"), Ask("b", "two", kind="vote"), Ask("c", "three")]
    ask_all(questions, settings(batch=batch), Journal(tmp_path), label="judging")
    kinds = {row["key"]: row.get("kind") for row in Journal(tmp_path).rows() if "answer" in row}
    assert kinds == {"a": "verdict", "b": "vote", "c": None}


def test_what_replies_to_a_kind_of_question_cost_is_their_mean():
    paid = [("a", 1.0), ("a", 3.0), ("b", 5.0), ("", 7.0)]
    rows = [answer_row(f"key-{usd}", Answer("", "", "", 1, 1, usd), kind=kind, payee="judge") for kind, usd in paid]
    others = [{"batch": "x", "keys": ["y"]}, {"key": "odd", "answer": {}, "kind": "a"}, {"kind": "a"}]
    assert mean_usd([*rows, *others]) == {"a": 2.0, "b": 5.0}
    assert stored_answers([*rows, *others]).keys() == {f"key-{usd}" for _, usd in paid}


def test_answers_in_the_journal_need_neither_key_nor_network(serve, settings, tmp_path, monkeypatch):
    serve()
    ask_all(asks(2), settings(), Journal(tmp_path), label="judging")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert len(ask_all(asks(2), settings(), Journal(tmp_path), label="judging")) == 2


def test_a_key_that_comes_several_times_is_asked_once(serve, settings, tmp_path):
    server = serve()
    answers = ask_all([Ask("one", "same")] * 10, settings(), Journal(tmp_path), label="judging")
    assert list(answers) == ["one"]
    assert server.asked == {"same": 1}


def test_no_more_requests_are_in_flight_than_the_setting_says(serve, settings, tmp_path):
    server = serve(lambda _: Fault(after_s=0.03))
    ask_all(asks(24), settings(concurrency=3), Journal(tmp_path), label="judging")
    assert server.most_in_flight == 3


def test_429_is_asked_again_no_sooner_than_retry_after_says(serve, settings, tmp_path):
    faults = [refused(429, retry_after="1")]
    server = serve(lambda _: faults.pop() if faults else "70")
    assert ask_all(asks(1), settings(retries=1), Journal(tmp_path), label="judging")["key-0"].text == "70"
    assert server.asked == {"prompt 0.": 2}
    assert server.times[1] - server.times[0] >= 0.98  # without the header the SDK waits half a second at most


@pytest.mark.parametrize("status", [500, 529])
def test_5xx_is_retried_then_reported_and_the_others_are_kept(serve, settings, tmp_path, status):
    server = serve(lambda prompt: refused(status) if "prompt 1." in prompt else "70")
    sentence, kept = outcome(asks(4), settings(retries=1), tmp_path)
    assert f"({status})" in sentence
    assert sentence.startswith("judging: 1 of 4 have no answer: ")
    assert sentence.endswith("; the same command asks only for those")
    assert server.asked["prompt 1."] == 2
    assert kept == {"key-0", "key-2", "key-3"}


def test_the_next_run_asks_only_for_what_failed(serve, settings, tmp_path):
    faults = [refused(500)]
    server = serve(lambda prompt: faults.pop() if faults and "prompt 1." in prompt else "70")
    outcome(asks(4), settings(), tmp_path)
    assert len(ask_all(asks(4), settings(), Journal(tmp_path), label="judging")) == 4
    assert server.asked == {"prompt 0.": 1, "prompt 1.": 2, "prompt 2.": 1, "prompt 3.": 1}


def test_a_time_out_is_a_failure_and_names_the_setting(serve, settings, tmp_path):
    serve(lambda prompt: Fault(after_s=6.0) if "prompt 1." in prompt else "70")
    started = monotonic()
    sentence, kept = outcome(asks(3), settings(timeout_s=0.3), tmp_path)
    assert monotonic() - started < 5
    assert "no reply within judge.timeout_s=0.3" in sentence
    assert kept == {"key-0", "key-2"}


def test_a_server_that_is_not_there_is_told(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert "no connection to the API" in outcome(asks(1), settings(), tmp_path)[0]


BROKEN = [
    b'{"id": "msg_1", "content": [',
    b"<html>down</html>",
    b"null",
    b'"text"',
    b"[]",
    b"{}",
    b'{"content": []}',
    b'{"content": [{"type": "text", "text": "70"}], "model": "m", "stop_reason": "end_turn"}',  # no usage
]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_a_reply_that_is_no_message_is_a_failure_and_never_kept(serve, settings, tmp_path, body, kind):
    serve(lambda _: Fault(body=body, headers={"content-type": kind}))
    sentence, kept = outcome(asks(1), settings(), tmp_path)
    assert "a reply is " in sentence
    assert kept == set()


def test_a_message_without_text_is_a_failure(serve, settings, tmp_path):
    serve(lambda _: Fault(text=None))
    sentence, kept = outcome(asks(1), settings(), tmp_path)
    assert "a reply holds no text" in sentence
    assert kept == set()


@pytest.mark.parametrize("ending", ["max_tokens", "refusal"])
@pytest.mark.parametrize("text", ["the score is", None])
def test_a_reply_cut_short_is_an_answer_that_says_so(serve, settings, tmp_path, text, ending):
    server = serve(lambda _: Fault(text=text, stop_reason=ending))
    answer = ask_all(asks(1), settings(), Journal(tmp_path), label="judging")["key-0"]
    assert (answer.text, answer.stop_reason) == (text or "", ending)
    ask_all(asks(1), settings(), Journal(tmp_path), label="judging")
    assert server.asked.total() == 1


def test_without_a_key_nothing_is_sent(serve, settings, tmp_path, monkeypatch):
    server = serve()
    for value in ("", " ", None, "two words", "sk-ünï", "sk-ant-one\nsk-ant-two"):
        monkeypatch.delenv("ANTHROPIC_API_KEY") if value is None else monkeypatch.setenv("ANTHROPIC_API_KEY", value)
        sentence, _ = outcome(asks(3), settings(), tmp_path)
        assert "ANTHROPIC_API_KEY" in sentence
        assert "export" in sentence
        assert not value or not value.strip() or value not in sentence
    assert server.asked.total() == server.rejected == 0


def test_a_wrong_key_stops_at_once(serve, settings, tmp_path, monkeypatch):
    server = serve()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-another")
    sentence, _ = outcome(asks(50), settings(), tmp_path)
    assert "50 of 50 have no answer: the API does not take the key in ANTHROPIC_API_KEY" in sentence
    assert server.rejected <= 4  # as many as were in flight


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_refusal_that_would_come_again_stops_at_once(serve, settings, tmp_path, status):
    server = serve(lambda _: refused(status))
    sentence, _ = outcome(asks(50), settings(retries=2), tmp_path)
    assert f"({status}): a fault of the test" in sentence
    assert server.asked.total() <= 4
    assert set(server.asked.values()) == {1}


def test_an_unknown_model_stops_at_once_and_is_named(serve, settings, tmp_path):
    server = serve(models={"claude-haiku-4-5"})
    sentence, _ = outcome(asks(50), settings(model="claude-haiku-4-6"), tmp_path)
    assert "judge.model=claude-haiku-4-6" in sentence
    assert server.asked.total() <= 4


def test_five_failures_in_a_row_for_one_cause_stop_the_run(serve, settings, tmp_path):
    server = serve(lambda _: refused(529))
    sentence, _ = outcome(asks(50), settings(concurrency=2), tmp_path)
    assert "50 of 50" in sentence
    assert "the API is overloaded (529)" in sentence
    assert 5 <= server.asked.total() <= 6


def test_failures_between_answers_do_not_stop_the_run(serve, settings, tmp_path):
    serve(lambda prompt: refused(500) if prompt[7] in "13579" and len(prompt) == 9 else "70")
    _, kept = outcome(asks(40), settings(concurrency=1), tmp_path)
    assert len(kept) == 35


def test_a_request_is_no_line_in_the_log(serve, settings, tmp_path, caplog):
    serve()
    caplog.set_level(logging.INFO)
    ask_all(asks(20), settings(), Journal(tmp_path), label="judging")
    assert len(caplog.records) <= 2


def test_the_key_is_in_no_log_and_no_error(serve, settings, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    serve(lambda _: Fault(status=400, message=f"who is {KEY}?"))
    sentence, kept = outcome(asks(3), settings(concurrency=1), tmp_path)
    assert "who is [key]?" in sentence
    assert kept == set()
    assert caplog.records
    assert KEY not in caplog.text


def test_a_disk_that_is_full_ends_the_run_with_the_sentence_of_the_store(serve, settings, tmp_path):
    server = serve(lambda prompt: "70" if "prompt 0." in prompt else Fault(after_s=0.2))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write"):
        ask_all(asks(50), settings(concurrency=2), Journal(tmp_path / "file"), label="judging")
    assert server.asked.total() <= 4
    assert server.in_flight == 0  # what was in flight was waited for


def test_a_key_that_a_batch_would_refuse_is_refused_here():
    for key in ("", "a b", "x" * 65, "ä"):
        with pytest.raises(ValueError, match="letters, digits"):
            Ask(key, "prompt")
