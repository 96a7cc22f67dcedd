"""What providers do, one condition a row, against real servers: right result, nothing asked twice, dollars right."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from leakage.errors import JudgeError
from leakage.network import Ask, ask_all, most_usd
from leakage.network.ledger import ledger_of
from leakage.store.journal import Journal
from tests.network.conftest import SUBJECT
from tests.network.faults import Fault
from tests.network.openai_server import OpenAIServer
from tests.network.server import JudgeServer

ODD = 2  # which of five prompts meets the condition
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
PAID = (100 * 1.0 + 20 * 5.0) / 1e6
PLAIN = Fault(text="70")
MOST, ANY = -1.0, -2.0
CHANGES = {
    "openai": {},
    "anthropic": {"provider": "anthropic", "model": "claude-haiku-4-5", "key": "ANTHROPIC_API_KEY"},
    "batch": {"provider": "anthropic", "model": "claude-haiku-4-5", "key": "ANTHROPIC_API_KEY", "batch": True},
}


@dataclass(frozen=True)
class Case:
    """One condition.

    faults: what the odd prompt meets, try by try; the last stays
    usd: of its answer; None = that of a plain one, MOST = the most it can be, ANY = not looked at
    lost: dollars paid for replies that are no answers; most_billed: tries that may have been billed, each at the most
    stops: words of the error that ends the run; fails: of one that leaves the other prompts their answers
    """

    name: str
    faults: list[Fault]
    text: str = "70"
    reason: str = "stop"
    reasoning: str = ""
    note: str = ""
    asked: int = 1
    usd: float | None = None
    lost: float = 0.0
    most_billed: int = 0
    stops: str = ""
    fails: str = ""
    via: str = "openai"
    changes: dict = field(default_factory=dict)


def reply(message=None, finish="stop", usage=USAGE, **more):
    """A chat completion with just this message."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant"} | (message or {}), **more}
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "small-1", "choices": [choice]}
    return Fault(body=json.dumps(whole | {"usage": usage}).encode())


def said(content, **more):
    return reply({"content": content}, **more)


def refusing(status, message, code=None, **more):
    return Fault(status=status, message=message, code=code, **more)


def raw(value, status=200, **headers):
    return Fault(status=status, body=value if isinstance(value, bytes) else json.dumps(value).encode(),
                 headers={name.replace("_", "-"): text for name, text in headers.items()})  # fmt: skip


SOON = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
BLOCKED = {"text": "", "reason": "blocked", "usd": 0.0}
REJECTED = {"text": "", "reason": "rejected", "usd": 0.0}
OPENAI = [
    Case("a plain reply", [said("hi")], "hi", usd=PAID),
    Case("text as a list of parts",
         [said([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])], "ab", usd=PAID),
    Case("a part that is a string", [said(["a", {"type": "output_text", "text": "b"}])], "ab", usd=PAID),
    Case("a part that was thought", [said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                                           {"type": "text", "text": "b"}])], "b", reasoning="hm", usd=PAID),
    Case("a part that is a picture", [said([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}])],
         "b", usd=PAID),
    Case("reasoning_content", [reply({"content": "b", "reasoning_content": "hm"})], "b", reasoning="hm", usd=PAID),
    Case("reasoning", [reply({"content": "b", "reasoning": "hm"})], "b", reasoning="hm", usd=PAID),
    Case("nothing but reasoning", [reply({"content": None, "reasoning": "hm"}, finish="length")], "", "length",
         reasoning="hm", usd=PAID),
    Case("thoughts left in the text", [said("<think>hm</think>b")], "<think>hm</think>b", usd=PAID),
    Case("a refusal in its own field",
         [reply({"content": None, "refusal": "I won't."})], "I won't.", "refusal", usd=PAID),
    Case("the router's word for a refusal", [said("No.", native_finish_reason="refusal")], "No.", "refusal", usd=PAID),
    Case("null content", [said(None)], "", usd=PAID),
    Case("empty content", [said("")], "", usd=PAID),
    Case("a filter at the end", [said("", finish="content_filter")], "", "content_filter", usd=PAID),
    Case("a filter in the middle", [said("Step 1", finish="content_filter")], "Step 1", "content_filter", usd=PAID),
    Case("no finish reason", [said("b", finish=None)], "b", "", usd=PAID),
    Case("a lone surrogate", [raw(said("a\ud800b").body)], "a?b", usd=PAID),
    Case("finish error, then whole", [said("ha", finish="error"), PLAIN], asked=2, lost=PAID),
    Case("finish abort for good", [said("ha", finish="abort")],
         asked=3, lost=3 * PAID, fails=r"a reply broke off \(abort\)"),
    Case("no resources for the rest", [said("ha", finish="insufficient_system_resource"), PLAIN], asked=2, lost=PAID),
    Case("an error in the choice", [said("ha", error={"code": 502, "message": "down"}), PLAIN], asked=2, lost=PAID),
    Case("an error with status 200", [raw({"error": {"code": 502, "message": "down"}}), PLAIN], asked=2),
    Case("a string as error", [raw({"error": "try later"}), PLAIN], asked=2),
    Case("blocked with status 200", [raw({"error": {"code": 403, "message": "Input was flagged", "metadata": {}}})],
         note="Input was flagged", **BLOCKED),
    Case("no choice, with feedback", [raw({"choices": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})],
         note="PROHIBITED_CONTENT", **BLOCKED),
    Case("403 usage guidelines",
         [refusing(403, "Content violates usage guidelines.")], note="usage guidelines", **BLOCKED),
    Case("403 flagged", [refusing(403, "Your input was flagged by moderation")], note="flagged", **BLOCKED),
    Case("400 invalid_prompt", [refusing(400, "Invalid prompt: please try another", "invalid_prompt")], **BLOCKED),
    Case("400 content_filter", [refusing(400, "management policy", "content_filter")], **BLOCKED),
    Case("400 data inspection", [refusing(400, "Input data may be bad", "data_inspection_failed")], **BLOCKED),
    Case("400 a number as code", [raw({"error": {"code": "1301", "message": "?"}}, 400)], **BLOCKED),
    Case("422 moderation", [refusing(422, "Rejected by our moderation system")], **BLOCKED),
    Case("400 in a list", [raw([{"error": {"message": "safety settings", "status": "INVALID"}}], 400)], **BLOCKED),
    Case("451 in other words", [refusing(451, "Unavailable")], note="Unavailable", **REJECTED),
    Case("400 too long", [refusing(400, "maximum context length is 8192", "context_length_exceeded")],
         note="maximum context length", **REJECTED),
    Case("413", [refusing(413, "too large")], **REJECTED),
    Case("403 in other words", [refusing(403, "Forbidden")], note="Forbidden", **REJECTED),
    Case("429 and when", [refusing(429, "slow", headers={"retry-after": "0.02"}), PLAIN], asked=2),
    Case("429 and a date", [refusing(429, "slow", headers={"retry-after": SOON}), PLAIN], asked=2),
    Case("429 and when, in words", [refusing(429, "Please try again in 20ms."), PLAIN], asked=2),
    Case("429 without a word", [refusing(429, "slow"), refusing(429, "slow"), PLAIN], asked=3),
    Case("429 for good", [refusing(429, "slow")], asked=3, fails=r"rate limit is reached.*\(429\)"),
    Case("429 no credit", [refusing(429, "You exceeded your current quota", "insufficient_quota")],
         stops=r"no credit left, top it up \(429\)"),
    Case("402", [refusing(402, "Insufficient Balance")], stops=r"no credit left, top it up \(402\)"),
    Case("401", [refusing(401, "bad key")], stops=r"does not take the key in OPENAI_API_KEY"),
    Case("404", [refusing(404, "no such model")], stops=r"subject\.model=small-1, name another"),
    Case("403 of the account", [refusing(403, "Your account was suspended for violating our usage policy")],
         stops=r"suspended"),
    Case("400 no temperature",
         [refusing(400, "Unsupported value: 'temperature' does not support 0", "unsupported_value")],
         stops=r"leave it out with 'subject\.omit=\[temperature\]'"),
    Case("400 no max_tokens", [refusing(400, "Unsupported parameter: 'max_tokens' is not supported with this model.")],
         stops=r"subject\.omit=\[max_tokens\]"),
    Case("500, then well", [refusing(500, "oops"), PLAIN], asked=2),
    Case("503 and when", [refusing(503, "busy", headers={"retry-after-ms": "20"}), PLAIN], asked=2),
    Case("529 for good", [refusing(529, "busy")], asked=3, fails=r"overloaded \(529\)"),
    Case("408", [refusing(408, "slow"), PLAIN], asked=2),
    Case("a time-out, then well", [Fault(after_s=0.5), PLAIN], asked=2, most_billed=1),
    Case("time-outs for good", [Fault(after_s=0.5)], asked=3, most_billed=3,
         fails=r"no reply within subject.timeout_s"),
    Case("torn JSON, then well", [raw(b'{"id": "x", "choi'), PLAIN], asked=2, most_billed=1),
    Case("a page, then well", [raw(b"<html>oops</html>", content_type="text/html"), PLAIN], asked=2, most_billed=1),
    Case("no usage", [said("b", usage=None)], "b", usd=MOST),
    Case("usage without numbers", [said("b", usage={"prompt_tokens": None, "completion_tokens": None})], "b", usd=MOST),
    Case("reasoning in the total alone", [said("b", usage={"prompt_tokens": 100, "completion_tokens": 20,
                                                           "total_tokens": 220})], "b", usd=(100 + 120 * 5) / 1e6),
]  # fmt: skip
CLAUDE = [
    Case("claude: thinking", [Fault(text="b")], "b", "end_turn", "hm", via="anthropic", usd=ANY),
    Case("claude: a refusal", [Fault(text=None, stop_reason="refusal")], "", "refusal", "hm", via="anthropic", usd=ANY),
    Case("claude: only thoughts", [Fault(text=None, stop_reason="max_tokens")], "", "max_tokens", "hm", via="anthropic",
         usd=ANY),
    Case("claude: blocked", [refusing(400, "Output blocked by content filtering policy")], via="anthropic", **BLOCKED),
    Case("claude: another 400", [refusing(400, "prompt is too long")], via="anthropic", **REJECTED),
    Case("claude: no credit", [refusing(400, "Your credit balance is too low to access the API")], via="anthropic",
         stops="no credit left"),
    Case("claude: overloaded, then well", [refusing(529, "busy"), PLAIN], reason="end_turn", reasoning="hm", asked=2,
         via="anthropic"),
    Case("claude: 429 in words", [refusing(429, "try again in 0.01 s"), PLAIN], reason="end_turn", reasoning="hm",
         asked=2, via="anthropic"),
    Case("claude: a time-out", [Fault(after_s=0.5), PLAIN], reason="end_turn", reasoning="hm", asked=2, most_billed=1,
         via="anthropic"),
    Case("batch: thinking", [Fault(text="b")], "b", "end_turn", "hm", via="batch", usd=ANY),
    Case("batch: a refusal", [Fault(text=None, stop_reason="refusal")], "", "refusal", "hm", via="batch", usd=ANY),
    Case("batch: blocked", [Fault(batch="errored", message="Output blocked by content filtering policy")], via="batch",
         **BLOCKED),
    Case("batch: expired", [Fault(batch="expired")], via="batch", fails="expired in its batch"),
    Case("batch: errored", [Fault(batch="errored", message="oops")], via="batch", fails="errored in its batch: oops"),
]  # fmt: skip
CASES = [*OPENAI, *CLAUDE]


@pytest.fixture(scope="module")
def servers():
    """One server a protocol for all conditions; `faults` says what the odd prompt of the running one meets."""
    faults = []

    def outcome(prompt):
        if not prompt.startswith(f"prompt {ODD}"):
            return PLAIN
        return faults.pop(0) if len(faults) > 1 else faults[0]

    with OpenAIServer(outcome) as openai, JudgeServer(outcome) as claude:
        yield {"openai": openai, "anthropic": claude, "batch": claude}, faults


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("PAUSE_S", "LATER_S"):
        monkeypatch.setattr(f"leakage.network.asking.{name}", 0.01)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_condition(case, servers, tmp_path, monkeypatch):
    server = servers[0][case.via]
    servers[1][:] = case.faults
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.asked.clear()
    settings = SUBJECT.model_copy(update=CHANGES[case.via] | {"retries": 2, "timeout_s": 0.3} | case.changes)
    questions = [Ask(f"key-{n}", f"prompt {n}.") for n in range(5)]
    answers, error = ask(questions, settings, tmp_path)
    paid = sum(answer["usd"] for answer in journal_of(tmp_path).values())
    if case.stops or case.fails:
        assert error is not None
        assert re.search(case.stops or case.fails, str(error))
    else:
        assert error is None
        check_answer(case, answers[f"key-{ODD}"], answers["key-0"], questions[ODD], settings)
        assert ask(questions, settings, tmp_path) == (answers, None)  # a second run asks nobody
        assert server.asked == Counter({one.prompt: 1 for one in questions}) | Counter({f"prompt {ODD}.": case.asked})
    if not case.stops:
        assert {f"key-{n}" for n in range(5) if n != ODD} <= journal_of(tmp_path).keys()
    spent = ledger_of(tmp_path).spent("subject")
    assert spent == pytest.approx(paid + case.most_billed * most_usd(questions[ODD], settings) + case.lost)


def check_answer(case, answer, plain, question, settings):
    assert (answer.text, answer.stop_reason) == (case.text, case.reason)
    assert answer.reasoning == case.reasoning
    assert case.note in answer.note
    assert bool(answer.note) == answer.is_objection
    if case.usd == MOST:
        assert answer.usd == most_usd(question, settings)
    elif case.usd is None:
        assert answer.usd == plain.usd
    elif case.usd != ANY:
        assert answer.usd == pytest.approx(case.usd)


def ask(questions, settings, folder):
    try:
        return ask_all(questions, settings, Journal(folder), label="asking", keep_empty=True), None
    except JudgeError as error:
        return {}, error


def journal_of(folder):
    return {row["key"]: row["answer"] for row in Journal(folder).rows() if "answer" in row}


def test_the_table_is_long_enough():
    assert len({case.name for case in CASES}) >= 40
