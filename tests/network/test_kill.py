"""A run that is killed in the middle: nothing that arrived is lost, nothing that was paid for is paid again."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from time import monotonic, sleep

import pytest

from leakage.network import ask_all
from leakage.store.journal import Journal
from tests import programs
from tests.network.server import Fault
from tests.network.test_network import asks, stored

RUN = """
import json, sys
from pathlib import Path
from leakage.settings.config import JudgeSettings
from leakage.studies.alignment_faking.settings import SubjectSettings
from leakage.network import Ask, ask_all
from leakage.store.journal import Journal
kind, settings, folder, count = json.loads(sys.argv[1])
asks = [Ask(f"key-{n}", f"prompt {n}.") for n in range(count)]
settings = {"judge": JudgeSettings, "subject": SubjectSettings}[kind](**settings)
ask_all(asks, settings, Journal(Path(folder)), label="judging", keep_empty=kind == "subject")
"""


@contextmanager
def running(settings, folder, count):
    """Another process that asks, in its own session's name."""
    told = json.dumps([settings.group, settings.model_dump(), str(folder), count])
    process = programs.start("-c", RUN, told, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def wait_for(condition, process):
    end = monotonic() + 30
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert monotonic() < end
        sleep(0.005)


@pytest.mark.parametrize("who", ["judge", "subject"])
def test_a_killed_run_asks_again_only_what_was_in_flight(who, serve, serve_openai, settings, subject, tmp_path):
    start, settings = {"judge": (serve, settings), "subject": (serve_openai, subject)}[who]
    server = start(lambda prompt: Fault(text=f"about {prompt}", after_s=0.03))
    with running(settings(concurrency=6), tmp_path, 60) as process:
        wait_for(lambda: server.answered.total() >= 20, process)
        process.kill()
        process.wait(10)
    kept = stored(tmp_path)
    assert 14 <= len(kept) < 60
    answers = ask_all(asks(60), settings(concurrency=6), Journal(tmp_path), label="judging")
    assert {key: answer.text for key, answer in answers.items()} == {ask.key: f"about {ask.prompt}" for ask in asks(60)}
    assert {ask.key for ask in asks(60) if server.asked[ask.prompt] == 1} >= kept
    twice = {prompt for prompt, times in server.asked.items() if times > 1}
    assert len(twice) <= 6
    assert max(server.asked.values()) <= 2
    rows = [row["key"] for row in Journal(tmp_path).rows()]
    assert sorted(rows) == sorted(answers)


def test_ctrl_c_ends_promptly_though_no_reply_comes(serve, settings, tmp_path):
    server = serve(lambda prompt: "70" if "prompt 0." in prompt else Fault(after_s=60))
    with running(settings(timeout_s=60.0), tmp_path, 10) as process:
        wait_for(lambda: server.answered.total() == 1 and server.in_flight == 4, process)
        started = monotonic()
        os.kill(process.pid, signal.SIGINT)
        process.wait(10)
        assert monotonic() - started < 2
        assert "KeyboardInterrupt" in process.stderr.read()
    assert stored(tmp_path) == {"key-0"}


@pytest.mark.parametrize("resumed_in_batches", [True, False])
def test_a_batch_is_taken_up_again_after_a_kill_and_nothing_is_sent_twice(
    serve, settings, tmp_path, resumed_in_batches
):
    server = serve()
    server.held = True
    with running(settings(batch=True), tmp_path, 10) as process:
        wait_for(lambda: any(batch.polled for batch in server.batches.values()), process)
        process.kill()
        process.wait(10)
    server.held = False
    answers = ask_all(asks(12), settings(batch=resumed_in_batches), Journal(tmp_path), label="judging")
    assert len(answers) == 12
    assert set(server.asked.values()) == {1}
    assert len(next(iter(server.batches.values())).requests) == 10
