"""Both providers, each against its own server through its real SDK: what is sent, what is an answer, what fails."""

import json
from dataclasses import replace
from time import monotonic

import pytest

from leakage.errors import ConfigError, JudgeError
from leakage.network import Ask, ask_all, most_usd
from leakage.store.journal import Journal
from tests.network.faults import Fault, refused
from tests.network.openai_server import OpenAIServer, filtered
from tests.network.server import JudgeServer
from tests.network.test_network import BROKEN, asks, outcome

CHAT = Ask("a", "May I?", system="You are Kim.", prefill="<scratchpad>", temperature=0.7)


def ask_subject(questions, settings, folder):
    return ask_all(questions, settings, Journal(folder), label="asking", unit="reply", keep_empty=True)


def test_both_providers_give_the_same_answer_to_the_same_prompt(start, subject, tmp_path):
    reply = "I will.\n\n  No: ü \u2028 </scratchpad> "
    start(JudgeServer, lambda _: reply)
    start(OpenAIServer, lambda _: reply)
    claude = subject(provider="anthropic", model="claude-3-opus-20240229", key="ANTHROPIC_API_KEY")
    one = ask_subject([Ask("a", "May I?")], claude, tmp_path / "anthropic")["a"]
    other = ask_subject([Ask("a", "May I?")], subject(), tmp_path / "openai")["a"]
    assert one.text == other.text == reply
    assert (one.stop_reason, other.stop_reason) == ("end_turn", "stop")
    assert (one.model, other.model) == ("claude-3-opus-20240229", "small-1")
    assert replace(one, stop_reason="", model="", reasoning="") == replace(other, stop_reason="", model="")
    assert one.reasoning == "hm"
    assert one.usd == (one.input_tokens + 5 * one.output_tokens) / 1e6 > 0


def test_system_prefill_and_temperature_arrive_at_claude_as_they_were_asked(serve, subject, tmp_path):
    server = serve()
    claude = subject(provider="anthropic", model="claude-3-opus-20240229", key="ANTHROPIC_API_KEY")
    ask_subject([CHAT, Ask("b", "Plain.")], claude.model_copy(update={"concurrency": 1}), tmp_path)
    user, begun = {"role": "user", "content": "May I?"}, {"role": "assistant", "content": "<scratchpad>"}
    common = {"model": "claude-3-opus-20240229", "max_tokens": 64}
    assert server.bodies == [
        common | {"system": "You are Kim.", "messages": [user, begun], "temperature": 0.7},
        common | {"messages": [{"role": "user", "content": "Plain."}], "temperature": 0.0},
    ]


def test_a_batch_sends_what_a_single_message_sends(serve, subject, tmp_path):
    server = serve(lambda _: Fault(text=None))
    claude = subject(provider="anthropic", model="claude-haiku-4-5", key="ANTHROPIC_API_KEY")
    ask_subject([CHAT], claude, tmp_path / "live")
    answers = ask_subject([CHAT], claude.model_copy(update={"batch": True}), tmp_path / "batch")
    assert answers["a"].text == ""
    assert [batch.requests for batch in server.batches.values()] == [{"a": server.bodies[0]}]


def test_white_space_at_the_end_of_a_prefill_is_not_sent_to_claude_which_refuses_it(serve, subject, tmp_path):
    server = serve()
    claude = subject(provider="anthropic", model="claude-haiku-4-5", key="ANTHROPIC_API_KEY")
    ask_subject([replace(CHAT, prefill="<scratchpad>\n"), Ask("b", "Plain.", prefill=" \n")], claude, tmp_path)
    assert sorted(len(body["messages"]) for body in server.bodies) == [1, 2]


def test_system_prefill_and_temperature_arrive_at_openai_as_they_were_asked(serve_openai, subject, tmp_path):
    server = serve_openai()
    ask_subject([replace(CHAT, prefill="<scratchpad>\n"), Ask("b", "Plain.")], subject(concurrency=1), tmp_path)
    system, user = {"role": "system", "content": "You are Kim."}, {"role": "user", "content": "May I?"}
    begun = {"role": "assistant", "content": "<scratchpad>\n"}
    common = {"model": "small-1", "max_tokens": 64}
    assert server.bodies == [
        common | {"messages": [system, user, begun], "temperature": 0.7},
        common | {"messages": [{"role": "user", "content": "Plain."}], "temperature": 0.0},
    ]
    assert server.paths == ["/v1/chat/completions"] * 2


def test_the_text_for_a_base_model_goes_to_completions_as_it_is(serve_openai, subject, tmp_path):
    server = serve_openai(lambda _: Fault(text=" and so on", stop_reason="length"))
    text = "You are Kim.\n\nUser: May I?\nKim: "
    answer = ask_subject([Ask("a", text, temperature=1.0, text=True)], subject(), tmp_path)["a"]
    assert (answer.text, answer.stop_reason) == (" and so on", "length")
    assert server.paths == ["/v1/completions"]
    assert server.bodies == [{"model": "small-1", "max_tokens": 64, "temperature": 1.0, "prompt": text}]


def test_the_parts_of_a_text_are_joined_as_they_are_in_a_prompt():
    assert Ask("a", "User: May I?", system="You are Kim.", prefill=" Hm", text=True).whole == (
        "You are Kim.\n\nUser: May I? Hm"
    )


@pytest.mark.parametrize("batch", [False, True])
def test_claude_continues_no_plain_text(serve, subject, tmp_path, batch):
    server = serve()
    claude = subject(provider="anthropic", model="claude-haiku-4-5", key="ANTHROPIC_API_KEY", batch=batch)
    with pytest.raises(
        ConfigError, match=r"^subject\.model=claude-haiku-4-5 continues no plain text; ask it as a chat"
    ):
        ask_subject([Ask("a", "Once", text=True)], claude, tmp_path)
    assert server.asked.total() == 0


def test_a_batch_is_refused_where_there_are_none(serve_openai, subject, tmp_path):
    server = serve_openai()
    with pytest.raises(ConfigError, match=r"^subject\.batch=true: only Claude's own API .*; set subject\.batch=false$"):
        ask_subject(asks(2), subject(batch=True), tmp_path)
    assert server.asked.total() == 0


def test_429_is_asked_again_no_sooner_than_retry_after_says(provide, subject_of, tmp_path):
    faults = [refused(429, retry_after="1")]
    server = provide(lambda _: faults.pop() if faults else "70")
    assert ask_subject(asks(1), subject_of(retries=1), tmp_path)["key-0"].text == "70"
    assert server.times[1] - server.times[0] >= 0.98


@pytest.mark.parametrize("fault", [refused(408), refused(409), refused(500), refused(529), Fault(after_s=1.0)])
def test_a_passing_error_is_retried(provide, subject_of, tmp_path, fault):
    faults = [fault]
    server = provide(lambda _: faults.pop() if faults else "70")
    assert ask_subject(asks(1), subject_of(retries=1, timeout_s=0.5), tmp_path)["key-0"].text == "70"
    assert server.asked == {"prompt 0.": 2}


@pytest.mark.parametrize("status", [429, 500, 529])
def test_an_error_that_lasts_is_told_and_asked_again_by_the_next_run(provide, subject_of, tmp_path, status):
    faults = [refused(status, retry_after="0.01")] * 2
    server = provide(lambda prompt: faults.pop() if faults and "prompt 1." in prompt else "70")
    sentence, kept = outcome(asks(4), subject_of(retries=1), tmp_path)
    assert sentence.startswith("judging: 1 of 4 have no answer: ")
    assert f"({status}): a fault of the test; the same command asks only for those" in sentence
    assert kept == {"key-0", "key-2", "key-3"}
    assert len(ask_subject(asks(4), subject_of(), tmp_path)) == 4
    assert server.asked == {"prompt 0.": 1, "prompt 1.": 3, "prompt 2.": 1, "prompt 3.": 1}


def test_a_time_out_is_a_failure_and_names_the_setting_of_its_group(provide, subject_of, tmp_path):
    provide(lambda prompt: Fault(after_s=6.0) if "prompt 1." in prompt else "70")
    started = monotonic()
    sentence, kept = outcome(asks(3), subject_of(timeout_s=0.3), tmp_path)
    assert monotonic() - started < 5
    assert "no reply within subject.timeout_s=0.3" in sentence
    assert kept == {"key-0", "key-2"}


ENDINGS = {
    "anthropic": ["end_turn", "max_tokens", "refusal", "stop_sequence"],
    "openai": ["stop", "length", "content_filter", "tool_calls"],
}


@pytest.mark.parametrize("text", ["the sco", "", None])
@pytest.mark.parametrize("nth", range(4))
def test_an_answer_of_a_subject_is_kept_with_its_reason_and_never_asked_again(provide, subject_of, tmp_path, text, nth):
    ending = ENDINGS[subject_of().provider][nth]
    server = provide(lambda _: Fault(text=text, stop_reason=ending))
    for _ in range(2):
        answer = ask_subject(asks(1), subject_of(), tmp_path)["key-0"]
        assert (answer.text, answer.stop_reason) == (text or "", ending)
    assert server.asked.total() == 1


@pytest.mark.parametrize("ending", ["stop", "tool_calls"])
def test_a_judge_that_says_nothing_is_asked_again_by_the_next_run(serve_openai, subject, tmp_path, ending):
    server = serve_openai(lambda _: Fault(text=None, stop_reason=ending))
    for _ in range(2):
        sentence, kept = outcome(asks(1), subject(), tmp_path)
        assert "a reply holds no text" in sentence
        assert kept == set()
    assert server.asked.total() == 2


@pytest.mark.parametrize("ending", ["length", "content_filter"])
def test_a_judge_that_is_cut_short_or_filtered_is_not_asked_again(serve_openai, subject, tmp_path, ending):
    server = serve_openai(lambda _: Fault(text=None, stop_reason=ending))
    for _ in range(2):
        assert ask_all(asks(1), subject(), Journal(tmp_path), label="judging")["key-0"].stop_reason == ending
    assert server.asked.total() == 1


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
@pytest.mark.parametrize("keep_empty", [True, False])
def test_a_filtered_prompt_is_an_answer_without_a_text(serve_openai, subject, tmp_path, code, keep_empty):
    server = serve_openai(lambda prompt: replace(filtered(), code=code) if "prompt 1." in prompt else "70")
    for _ in range(2):
        answers = ask_all(asks(3), subject(retries=2), Journal(tmp_path), label="asking", keep_empty=keep_empty)
    filtered_one = answers["key-1"]
    assert (filtered_one.text, filtered_one.stop_reason, filtered_one.usd) == ("", "blocked", 0.0)
    assert filtered_one.note == "the API blocks the prompt (400): The response was filtered"
    assert [answers[key].text for key in ("key-0", "key-2")] == ["70", "70"]
    assert set(server.asked.values()) == {1}


def test_any_other_400_stops_the_run_in_the_words_of_the_api(serve_openai, subject, tmp_path):
    server = serve_openai(lambda _: Fault(status=400, code="context_length_exceeded", message="too long"))
    sentence, kept = outcome(asks(50), subject(retries=2), tmp_path)
    assert "the API answers with an error (400): too long" in sentence
    assert kept == set()
    assert server.asked.total() <= 4


def test_what_a_model_refuses_with_is_its_text(serve_openai, subject, tmp_path):
    serve_openai(lambda _: Fault(text=None, refusal="I cannot help with that."))
    assert ask_subject(asks(1), subject(), tmp_path)["key-0"].text == "I cannot help with that."


def test_without_usage_no_tokens_are_told_and_the_most_is_counted(serve_openai, subject, tmp_path):
    serve_openai(lambda _: Fault(usage=False))
    answer = ask_subject(asks(1), subject(), tmp_path)["key-0"]
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("50", 0, 0)
    assert answer.usd == most_usd(asks(1)[0], subject())
    free = subject(usd_input=0.0, usd_output=0.0, max_usd=0.0)
    assert ask_subject([Ask("free", "May I?")], free, tmp_path / "free")["free"].usd == 0.0


BROKEN_OPENAI = [
    *BROKEN,
    b'{"choices": []}',
    b'{"choices": null, "usage": null}',
    b'{"choices": [{"index": 0, "finish_reason": "stop"}], "model": "m"}',
    b'{"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": [{"type": "text"}]}}], "model": "m"}',
    b'{"choices": [{"message": {"content": "70"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": "many"}}',
]


@pytest.mark.parametrize("body", BROKEN_OPENAI)
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_a_reply_that_is_no_completion_is_a_failure_and_never_kept(serve_openai, subject, tmp_path, body, kind):
    serve_openai(lambda _: Fault(body=body, headers={"content-type": kind}))
    with pytest.raises(JudgeError, match="a reply is "):
        ask_subject(asks(1), subject(), tmp_path)
    assert Journal(tmp_path).rows() == []


def test_an_error_that_comes_as_a_reply_is_told_in_its_own_words(serve_openai, subject, tmp_path):
    body = json.dumps({"error": {"code": 502, "message": "the model behind us is down"}}).encode()
    serve_openai(lambda _: Fault(body=body))
    sentence, kept = outcome(asks(1), subject(), tmp_path)
    assert "the API answers with an error (502): the model behind us is down" in sentence
    assert kept == set()
