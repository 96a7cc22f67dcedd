"""Programs of the project as a user starts them, with the interface of `subprocess`.

`python run.py …` pays four seconds and more of imports before its first line. Where a test is not about the start
itself, the program is a fork of one process that has imported all that already (tests/forkserver.py): a process of
its own all the same, with real signals, a real exit status and real files. A fork's hashes are salted like its
siblings', and a module that forgets an import is not found out; so what is about either, and what is about starting,
asks for a cold start.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# what Python and libraries read once, as they are imported
AT_IMPORT = ("PYTHON", "HF_", "TRANSFORMERS_", "OMP_", "OPENBLAS", "MKL_", "MPL", "XDG_CACHE")
OF_EACH_TEST = {"PYTHONUNBUFFERED"}  # the fork heeds it
ENDING = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR2)


def start(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Any = ROOT, cold: bool = False, **options: Any
) -> "subprocess.Popen[str]":
    """`python` with these arguments, in text mode; cold: with imports of its own, which another folder needs anyway."""
    environment = dict(os.environ if env is None else env)
    options = {"text": True} | options
    if cold or cwd != ROOT or _read_at_import(environment) != _read_at_import(_server().environment):
        return subprocess.Popen(
            [sys.executable, *arguments], env=environment, cwd=cwd, preexec_fn=_let_signals_through, **options
        )
    return Fork([*map(str, arguments)], env=environment, cwd=cwd, **options)


def run(
    *arguments: str, timeout: float = 240, check: bool = False, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """The program's exit status and what it said on stdout and stderr."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(*arguments, **(pipes | options)) as process:
        try:
            said, complained = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, said, complained)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}:\n{said}\n{complained}")
    return done


def _read_at_import(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environment.items() if name.startswith(AT_IMPORT) and name not in OF_EACH_TEST
    }


def _let_signals_through() -> None:
    """What runs in the background ignores some signals, and so would its children."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


@dataclass(frozen=True)
class Server:
    """The process that forks, the way to it, and the environment it has started with."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    environment: dict[str, str]


@lru_cache(maxsize=1)
def _server() -> Server:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = dict(os.environ)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forkserver", str(theirs.fileno())], cwd=ROOT, env=environment,
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    return Server(process, ours, environment)


def close() -> None:
    """End the server, and with it whatever a test has left running."""
    if _server.cache_info().currsize:
        _server().control.close()
        _server().process.wait(30)


class Fork(subprocess.Popen[str]):
    """A Popen whose process is made, and waited for, by the server: only these three methods know of it."""

    def _execute_child(self, args: Any, _program: Any, preexec_fn: Any, _close: Any, pass_fds: Any, cwd: Any, env: Any,
                       _startup: Any, _flags: Any, _shell: Any, *more: Any) -> None:  # fmt: skip
        assert preexec_fn is None
        assert not pass_fds
        stdin, _, _, stdout, _, stderr, *_, start_new_session, _ = more
        order = {"arguments": args, "cwd": str(cwd), "environment": dict(env), "new_session": start_new_session}
        streams = [stream if stream != -1 else own for own, stream in enumerate((stdin, stdout, stderr))]
        self._answers, answers = os.pipe()
        with os.fdopen(os.memfd_create("order"), "w") as file:
            json.dump(order, file)
            file.flush()
            file.seek(0)
            socket.send_fds(_server().control, [b"!"], [file.fileno(), *streams, answers])
        os.close(answers)
        self._told = os.fdopen(self._answers, "rb", buffering=0)
        self.pid = json.loads(self._told.readline())["pid"]
        self._child_created = True
        self._close_pipe_fds(*more[:6])

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        return self._wait_for(0)

    def _wait(self, timeout: float | None) -> int:
        code = self._wait_for(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _wait_for(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = json.loads(self._told.readline())["code"]
            self._told.close()
        return self.returncode
