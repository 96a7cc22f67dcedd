"""A program that a test starts as a fork is the program that a user starts, to all who look at it from outside."""

import json
import os
import signal
import subprocess

import pytest

from tests import programs

ENDINGS = {  # what Python does at its end: status, and the last line on stderr
    "print('said')": (0, ""),
    "import sys; sys.exit(3)": (3, ""),
    "import sys; sys.exit('a sentence')": (1, "a sentence"),
    "import sys; sys.exit(None)": (0, ""),
    "1 / 0": (1, "ZeroDivisionError: division by zero"),
    "raise KeyboardInterrupt": (-signal.SIGINT, "KeyboardInterrupt"),
    "import os; os._exit(7)": (7, ""),
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": (-signal.SIGKILL, ""),
    "import atexit, sys; atexit.register(print, 'last', file=sys.stderr)": (0, "last"),
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()": (0, ""),
}
LOOK = """
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ["MINE"], os.listdir("/proc/self/fd")]))
"""


@pytest.mark.parametrize("code", ENDINGS)
def test_a_fork_ends_as_a_program_of_its_own_does(code):
    fork, own = programs.run("-c", code), programs.run("-c", code, cold=True)
    assert (fork.returncode, fork.stdout) == (own.returncode, own.stdout)
    for done in (fork, own):
        assert (done.returncode, "".join(done.stderr.splitlines()[-1:])) == ENDINGS[code]


def test_a_fork_has_what_it_was_given_and_nothing_else():
    environment = os.environ | {"MINE": "yes"}
    for cold in (False, True):
        with programs.start(
            "-c", LOOK, "--one", "two words", env=environment, cold=cold, stdout=subprocess.PIPE
        ) as process:  # fmt: skip
            arguments, folder, mine, open_files = json.load(process.stdout)
        assert (arguments, folder, mine) == (["-c", "--one", "two words"], str(programs.ROOT), "yes")
        assert len(open_files) == 4  # and the folder it looks into
        assert isinstance(process, programs.Fork) is not cold


def test_what_is_read_at_import_or_lies_in_another_folder_has_imports_of_its_own(tmp_path):
    for options in ({"env": os.environ | {"HF_HUB_OFFLINE": "maybe"}}, {"cwd": tmp_path}):
        with programs.start("-c", "", **options) as process:
            assert not isinstance(process, programs.Fork)


def test_what_torch_notes_in_the_environment_of_a_test_makes_no_start_a_cold_one(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with programs.start("-c", "") as process:
        assert isinstance(process, programs.Fork)


def test_a_fork_heeds_signals_that_its_parents_ignore():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        for cold in (False, True):
            with programs.start("-c", "import time; print(flush=True); time.sleep(60)", cold=cold,
                                stdout=subprocess.PIPE) as process:  # fmt: skip
                process.stdout.readline()
                process.send_signal(signal.SIGHUP)
                assert process.wait(20) == -signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_that_takes_too_long_is_killed():
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run("-c", "import time; time.sleep(60)", timeout=0.5)
    with pytest.raises(AssertionError, match="ended with 1"):
        programs.run("-c", "raise SystemExit('wrong')", check=True)
