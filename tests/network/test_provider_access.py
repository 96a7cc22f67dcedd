"""Both providers: keys and addresses, what is in no log, and what is paid for."""

import logging
import sys

import pytest

from leakage.errors import ConfigError
from leakage.network import Ask, estimate_usd, lacks, most_usd
from leakage.store.journal import Journal
from tests.network.faults import Fault, refused
from tests.network.openai_server import OPENAI_KEY
from tests.network.server import KEY
from tests.network.test_network import asks, outcome
from tests.network.test_providers import ask_subject


def test_a_wrong_key_an_unknown_model_and_no_server_are_told_with_the_names_of_the_group(
    provide, subject_of, tmp_path, monkeypatch
):
    server, key = provide(models={"another"}), subject_of().key
    sentence, _ = outcome(asks(50), subject_of(), tmp_path)
    assert f"the API knows no subject.model={subject_of().model}, name another (404)" in sentence
    assert server.asked.total() <= 4
    nobody = "http://127.0.0.1:9/v1"
    sentence, _ = outcome(asks(1), subject_of(base_url=nobody), tmp_path)
    assert f"no connection to subject.base_url={nobody} (APIConnectionError)" in sentence
    monkeypatch.setenv(key, "sk-another")
    sentence, _ = outcome(asks(50), subject_of(), tmp_path)
    assert f"the API does not take the key in {key}, export a valid one (401)" in sentence
    assert server.rejected <= 4


def test_the_key_comes_from_the_variable_that_the_settings_name(provide, subject_of, tmp_path, monkeypatch):
    server = provide()
    monkeypatch.setenv("MY_KEY", server.key)
    monkeypatch.delenv(subject_of().key)
    assert len(ask_subject(asks(1), subject_of(key="MY_KEY"), tmp_path)) == 1
    monkeypatch.delenv("MY_KEY")
    sentence, _ = outcome(asks(2), subject_of(key="MY_KEY"), tmp_path)
    assert sentence == f"{subject_of().model} cannot be asked: MY_KEY is not set; export your key"
    assert lacks(subject_of(key="MY_KEY")) == "MY_KEY is not set"


def test_a_server_on_this_machine_needs_no_key(provide, subject_of, tmp_path, monkeypatch):
    server = provide(key="none")
    monkeypatch.delenv(subject_of().key)
    local = subject_of(base_url=server.url)
    assert lacks(local) == ""
    assert len(ask_subject(asks(1), local, tmp_path)) == 1
    for away in ("https://127.0.0.1.example.com/v1", "https://localhost.example.com", "https://api.example.com/v1"):
        assert lacks(subject_of(base_url=away)) == f"{subject_of().key} is not set"
    for here in ("http://localhost:8000/v1", "http://127.0.0.1", "http://[::1]:8000/v1"):
        assert lacks(subject_of(base_url=here)) == ""


def test_a_key_that_was_written_in_place_of_its_variable_is_not_told(provide, subject_of, tmp_path):
    server = provide()
    for pasted in (server.key, "AIzaSyLoopback0123"):
        sentence, _ = outcome(asks(1), subject_of(key=pasted), tmp_path)
        assert "subject.key is to be the name of an environment variable" in sentence
        assert pasted not in sentence + lacks(subject_of(key=pasted))
    assert server.asked.total() == server.rejected == 0


@pytest.mark.parametrize("url", ["localhost:8000", "", "ftp://there", "http://", "http://a b", "http://[::1"])
def test_an_address_that_is_none_is_refused(provide, subject_of, tmp_path, url):
    provide()
    with pytest.raises(ConfigError, match=r"^subject\.base_url=.* is no address; write one like http://"):
        ask_subject(asks(1), subject_of(base_url=url), tmp_path)


def test_without_the_sdk_one_sentence_says_how_to_install_it(subject, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    sentence = "subject.provider=openai: the package openai is missing, pip install 'leakage[openai]'"
    assert lacks(subject()) == sentence
    with pytest.raises(ConfigError) as error:
        ask_subject(asks(1), subject(), tmp_path)
    assert str(error.value) == sentence


def test_the_key_is_in_no_file_no_log_and_no_sentence(provide, subject_of, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    key = {"anthropic": KEY, "openai": OPENAI_KEY}[subject_of().provider]
    provide(lambda prompt: "70" if "prompt 0." in prompt else Fault(status=400, message=f"who is {key}?"))
    answers = ask_subject(asks(3), subject_of(concurrency=1), tmp_path)
    assert "who is [key]?" in answers["key-1"].note
    assert caplog.records
    assert key not in caplog.text
    assert all(key.encode() not in file.read_bytes() for file in tmp_path.rglob("*.jsonl"))


def test_neither_a_request_nor_a_retry_is_a_line_in_the_log(provide, subject_of, tmp_path, caplog):
    faults = [refused(500)]
    provide(lambda _: faults.pop() if faults else "70")
    caplog.set_level(logging.INFO)
    ask_subject(asks(20), subject_of(retries=1), tmp_path)
    assert faults == []
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        f"20 asks to {subject_of().model}, about $0.00, cap subject.max_usd=10",
        "$0.00 of subject.max_usd=10 spent",
    ]


def test_the_cap_names_its_group_and_is_never_exceeded(provide, subject_of, tmp_path):
    server = provide(lambda _: "x" * 250)
    low = subject_of(max_usd=10 * most_usd(asks(1, length=1000)[0], subject_of()), concurrency=8)
    sentence, kept = outcome(asks(60, length=1000), low, tmp_path)
    spent = sum(row["answer"]["usd"] for row in Journal(tmp_path).rows())
    assert 0 < spent <= low.max_usd
    assert f"of subject.max_usd={low.max_usd:g} is spent" in sentence
    assert "raise subject.max_usd" in sentence
    assert len(kept) == server.asked.total() < 60


def test_system_and_prefill_are_paid_for_too(subject):
    bare, whole = Ask("a", "x" * 700), Ask("b", "x" * 700, system="y" * 698, prefill="z" * 700)
    assert most_usd(whole, subject()) - most_usd(bare, subject()) == pytest.approx(1400 / 1e6)
    assert estimate_usd([whole], subject()) - estimate_usd([bare], subject()) == pytest.approx(400 / 1e6)


def test_what_is_free_needs_no_cap(provide, subject_of, tmp_path):
    provide()
    free = subject_of(max_usd=0.0, usd_input=0.0, usd_output=0.0)
    assert lacks(free) == ""
    answers = ask_subject(asks(20), free, tmp_path)
    assert [answer.usd for answer in answers.values()] == [0.0] * 20
    assert lacks(subject_of(max_usd=0.0)) == "subject.max_usd=0 allows no question"
