"""One budget for a results folder: reserved before a question goes out, by every process, for each payee."""

import json
import subprocess
import threading
from pathlib import Path
from time import sleep

import pytest

from leakage.errors import ConfigError, JudgeError
from leakage.network import Ask, ask_all, lacks, most_usd
from leakage.network.ledger import ledger_of
from leakage.store.journal import Journal
from tests import programs
from tests.network.faults import Fault
from tests.network.test_network import asks, outcome

RUN = """
import json, sys
from pathlib import Path
from time import sleep
from leakage.errors import JudgeError
from leakage.network import Ask, ask_all
from leakage.studies.alignment_faking.settings import SubjectSettings
from leakage.store.journal import Journal
settings, folder, name = json.loads(sys.argv[1])
questions = [Ask(f"{name}-{n}", f"prompt {name} {n}.") for n in range(40)]
try:
    ask_all(questions, SubjectSettings(**settings), Journal(Path(folder, name)), label=name, purse=Path(folder))
except JudgeError as error:
    print(error)
"""


def test_four_processes_at_once_never_pass_the_cap(serve_openai, subject, tmp_path):
    server = serve_openai(lambda _: Fault(text="x" * 100, after_s=0.01))
    settings = subject()
    settings = settings.model_copy(update={"max_usd": 30.5 * most_usd(Ask("a", "prompt 0 00."), settings)})
    told = [json.dumps([settings.model_dump(), str(tmp_path), str(name)]) for name in range(4)]
    running = [programs.start("-c", RUN, one, stdout=subprocess.PIPE) for one in told]
    said = [one.communicate(timeout=60)[0] for one in running]
    rows = [row["answer"] for name in range(4) for row in Journal(tmp_path / str(name)).rows()]
    paid = sum(row["usd"] for row in rows)
    assert len(rows) == server.asked.total()
    assert paid <= settings.max_usd
    assert paid > settings.max_usd - 4 * settings.concurrency * most_usd(Ask("a", "prompt 0 00."), settings)
    assert ledger_of(tmp_path).spent("subject") == pytest.approx(paid)
    assert any("raise subject.max_usd" in text for text in said)


def test_the_last_dollars_are_waited_for_while_another_process_holds_them(serve, settings, tmp_path):
    server = serve(lambda prompt: Fault(text="50", after_s=1.0 if "slow" in prompt else 0.0))
    most = most_usd(Ask("a", "slow"), settings())
    low = settings(max_usd=1.5 * most)
    slow = threading.Thread(
        target=ask_all, args=([Ask("a", "slow")], low, Journal(tmp_path / "one")),
        kwargs={"label": "slow", "purse": tmp_path},
    )  # fmt: skip
    slow.start()
    while not server.asked:
        sleep(0.01)
    answers = ask_all([Ask("b", "next")], low, Journal(tmp_path / "two"), label="next", purse=tmp_path)
    slow.join()
    assert answers["b"].text == "50"


def test_judges_and_subjects_have_a_purse_each_though_their_names_are_the_same(serve, settings, subject, tmp_path):
    serve(lambda _: "x" * 250)
    claude = {"provider": "anthropic", "model": "claude-haiku-4-5", "key": "ANTHROPIC_API_KEY"}
    cap = 3.5 * most_usd(asks(1)[0], settings())
    outcome(asks(9), settings(max_usd=cap), tmp_path)
    more = [Ask(f"more-{n}", f"more {n}.") for n in range(3)]
    assert len(ask_all(more, subject(**claude, max_usd=cap), Journal(tmp_path), label="asking")) == 3


def test_what_journals_of_before_have_cost_counts(serve, settings, tmp_path):
    server = serve()
    old = {"text": "50", "stop_reason": "end_turn", "model": "m", "input_tokens": 1, "output_tokens": 1, "usd": 9.9999}
    Journal(tmp_path).append({"key": "old", "answer": old})
    sentence, _ = outcome(asks(3), settings(), tmp_path)
    assert "$10.000 of judge.max_usd=10 is spent" in sentence
    assert server.asked.total() == 0


def test_what_the_dead_held_counts_and_is_not_waited_for(serve, settings, tmp_path):
    server = serve()
    dead = {"hold": "x", "payee": "judge", "usd": 9.9999, "machine": "another", "pid": 1, "born": "", "until": 0}
    Journal(tmp_path / ".spending").append(dead)
    sentence, _ = outcome(asks(3), settings(), tmp_path)
    assert "$10.000 of judge.max_usd=10 is spent" in sentence
    assert server.asked.total() == 0


def test_an_unpriced_model_is_refused_in_a_sentence_that_says_how_to_give_its_price(subject, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-some")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for prices in ({"usd_input": 0.0, "usd_output": 0.0}, {"usd_input": 1.0, "usd_output": 0.0}):
        for url in (None, "https://api.example.com/v1", "http://10.0.0.7:8000/v1"):
            settings = subject(**prices, base_url=url)
            assert "subject.model=small-1 has no price" in lacks(settings)
            with pytest.raises(ConfigError, match=r"subject\.usd_input=… subject\.usd_output=…$"):
                ask_all(asks(1), settings, Journal(tmp_path), label="asking")


def test_a_time_out_counts_as_billed_and_a_refused_connection_does_not(serve, settings, tmp_path):
    serve(lambda _: Fault(after_s=0.5))
    outcome(asks(1), settings(timeout_s=0.1), tmp_path)
    assert ledger_of(tmp_path).spent("judge") == pytest.approx(most_usd(asks(1)[0], settings()))
    with pytest.raises(JudgeError):
        ask_all(asks(1), settings(base_url="http://127.0.0.1:9"), Journal(tmp_path / "other"), label="judging")
    assert ledger_of(tmp_path / "other").spent("judge") == 0


def test_a_process_writes_one_ledger_file_however_often_it_asks(serve, settings, tmp_path):
    serve()
    for n in range(3):
        ask_all(asks(n + 1), settings(), Journal(tmp_path), label="judging")
    assert len(list(Path(tmp_path, ".spending").iterdir())) == 1
