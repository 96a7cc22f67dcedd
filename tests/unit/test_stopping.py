"""SIGTERM and SIGUSR2 while a job runs, sent by another process as SLURM does."""

import os
import signal
import subprocess
import threading
import time

import pytest

from leakage.jobs.signals import SIGNALS, stop_wanted, stopping_softly
from tests import programs

HEAD = """
import os, signal, sys, time
from leakage.jobs.signals import OutOfTimeError, saving, stop_now, stop_wanted, stopping_softly
def say(word):
    os.write(1, f"{word}\\n".encode())  # a handler may say something in the midst of this
def idle(seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
def requeue(number, frame):
    say(f"launcher {signal.Signals(number).name}")
    sys.exit(7)
def leave_it(number, frame):
    say(f"launcher {signal.Signals(number).name}")
def too_often(number, frame):
    raise RuntimeError("timed out 21 times")
"""
OUTSIDE = """
with stopping_softly():
    say("ready")
    idle()
"""
INSIDE = """
with stopping_softly(), saving():
    say("ready")
    while not stop_wanted():
        time.sleep(0.01)
    time.sleep(0.3)
    say("saved")
    stop_now()
    say("not reached")
"""
TWICE = """
with stopping_softly(), saving():
    say("ready")
    while not stop_wanted():
        time.sleep(0.01)
    stop_now()
    stop_now()
    say(f"waits: {stop_wanted()}")
"""
ONLY_A_MOMENT = """
with stopping_softly():
    with saving(), saving():
        pass
    say("ready")
    idle()
"""
GOES_ON = """
with stopping_softly():
    say("ready")
    idle(1.0)
say("went on")
"""
USR2 = "signal.signal(signal.SIGUSR2, {})\n"
KEPT = "what was finished is kept, the same command goes on from there"


def start(script, **options):
    return programs.start("-c", HEAD + script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run(script, *signals, submitit=False):
    """Start a program, send it signals once it is ready, and return how it ended and what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "SUBMITIT_FOLDER"}
    environment |= {"SUBMITIT_FOLDER": "/jobs"} if submitit else {}
    with start(script, env=environment) as process:
        assert process.stdout.readline() == "ready\n"
        for one in signals:
            process.send_signal(one)
        said, complained = process.communicate(timeout=60)
    return process.returncode, said.splitlines(), complained.strip()


@pytest.mark.parametrize("script", [OUTSIDE, ONLY_A_MOMENT])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_program_in_one_sentence(script, number):
    code, said, complained = run(script, number)
    assert code == 128 + number
    assert said == []
    assert complained == f"{number.name}: {KEPT}"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_until_all_is_saved(number):
    code, said, complained = run(INSIDE, number)
    assert code == 128 + number
    assert said == ["saved"]
    assert complained == f"{number.name}: {KEPT}"


def test_a_second_signal_does_not_cut_the_saving_short():
    code, said, _ = run(INSIDE, signal.SIGUSR2, signal.SIGTERM)
    assert said == ["saved"]
    assert code in {128 + signal.SIGUSR2, 128 + signal.SIGTERM}


def test_under_submitit_its_own_handler_follows_the_saving():
    code, said, complained = run(USR2.format("requeue") + INSIDE, signal.SIGUSR2, submitit=True)
    assert (code, said) == (7, ["saved", "launcher SIGUSR2"])
    assert complained == "SIGUSR2: what was finished is kept"


def test_under_submitit_its_own_handler_is_called_at_once_where_nothing_is_being_saved():
    code, said, _ = run(USR2.format("requeue") + OUTSIDE, signal.SIGUSR2, submitit=True)
    assert (code, said) == (7, ["launcher SIGUSR2"])


def test_a_handler_that_leaves_the_signal_to_slurm_lets_the_program_go_on():
    handler = "signal.signal(signal.SIGTERM, leave_it)\n"
    assert run(handler + GOES_ON, signal.SIGTERM, submitit=True)[:2] == (0, ["launcher SIGTERM", "went on"])


def test_a_signal_that_was_heeded_does_not_come_again():
    script = "signal.signal(signal.SIGTERM, leave_it)\n" + TWICE
    assert run(script, signal.SIGTERM, submitit=True)[:2] == (0, ["launcher SIGTERM", "waits: False"])


def test_a_handler_of_anybody_elses_is_not_called():
    code, said, _ = run(USR2.format("requeue") + OUTSIDE, signal.SIGUSR2)
    assert (code, said) == (128 + signal.SIGUSR2, [])


def test_under_submitit_a_signal_that_nobody_handles_ends_the_program():
    code, _, complained = run(OUTSIDE, signal.SIGTERM, submitit=True)
    assert (code, complained) == (143, f"SIGTERM: {KEPT}")


def test_a_job_that_may_not_be_requeued_once_more_fails_and_says_what_to_raise():
    script = (
        USR2.format("too_often")
        + """
try:
    with stopping_softly():
        say("ready")
        idle()
except OutOfTimeError as error:
    say(error)
    say(repr(error.__cause__))
"""
    )
    code, said, _ = run(script, signal.SIGUSR2, submitit=True)
    assert code == 0
    assert said == [
        "its time was over, more often than hydra.launcher.max_num_timeout allows; raise that or "
        "hydra.launcher.timeout_min",
        "RuntimeError('timed out 21 times')",
    ]


def test_what_handled_the_signals_before_handles_them_again():
    script = (
        USR2.format("leave_it")
        + """
try:
    with stopping_softly():
        inside = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGUSR2)]
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert signal.SIG_DFL not in inside and leave_it not in inside
assert signal.getsignal(signal.SIGUSR2) is leave_it
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
say("ready")
idle(0.5)
say("went on")
"""
    )
    assert run(script, signal.SIGUSR2)[:2] == (0, ["launcher SIGUSR2", "went on"])
    assert run(script, signal.SIGTERM)[0] == -signal.SIGTERM


def test_a_thread_that_may_not_handle_signals_works_without():
    before = [signal.getsignal(one) for one in SIGNALS]
    done = []

    def work():
        with stopping_softly():
            done.append(stop_wanted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert done == [False]
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_ctrl_c_waits_for_what_is_being_saved_and_a_second_one_does_not():
    def interrupted(code, times):
        with start(code) as process:
            assert process.stdout.readline() == "ready\n"
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
            said, trace = process.communicate(timeout=20)
        assert process.returncode == -signal.SIGINT
        assert "KeyboardInterrupt" in trace
        return said

    assert interrupted(INSIDE, 1) == "saved\n"
    assert interrupted(INSIDE, 2) == ""
    assert interrupted(ONLY_A_MOMENT, 1) == ""
