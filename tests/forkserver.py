"""Python programs without their imports: one process imports once what a job needs, and each program is a fork of it.

Started by `tests.programs`. An order comes as one message on the socket whose number is the argument: its descriptors
are a file with the order as JSON ({"arguments": […], "cwd": …, "environment": {…}, "new_session": …}), stdin, stdout,
stderr, and a pipe for the answers, {"pid": …} at once and {"code": …} at the end, a line each. When the socket closes,
the programs that still run are killed.

This process computes nothing: a fork has none of the threads that computing would have made.
"""

import atexit

status = []  # with what the program leaves; empty where Python has to find that out by itself


def leave_without_tidying():
    """To take torch apart module by module costs as much as to load it; all else that a program does at its end is
    done by now, for this was the first to be registered and comes last."""
    if status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status[0])


atexit.register(leave_without_tidying)

import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402
import selectors  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from types import ModuleType  # noqa: E402

IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def import_all():
    """What the programs import, as far as it takes a while, and what each of them would work out first."""
    import anthropic.types.beta
    import jinja2.ext  # noqa: F401
    import openai.types.chat
    import plotly.graph_objects  # noqa: F401
    import rich.live
    import rich.table  # noqa: F401
    import scipy.stats  # noqa: F401
    import seaborn  # noqa: F401
    import torch
    import transformers
    from hydra.core.plugins import Plugins
    from matplotlib.backends import backend_agg, backend_pdf  # noqa: F401
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping
    from transformers.models.qwen2 import modeling_qwen2  # noqa: F401

    import leakage.cli.draw
    import leakage.cli.primary
    import leakage.cli.register
    import leakage.cli.rejudge
    import leakage.cli.status
    import leakage.cli.table
    import leakage.cli.validate
    import leakage.engine.fast
    import leakage.engine.reference
    import leakage.jobs.estimate
    import leakage.jobs.idle
    import leakage.jobs.plan
    import leakage.jobs.run
    import leakage.network.anthropic_api
    import leakage.network.openai_api
    import leakage.report.drawing
    import leakage.report.folder
    import leakage.studies.alignment_faking.trial
    import leakage.studies.persona_leakage.cell
    import leakage.training.checkpoints
    import leakage.training.sft  # noqa: F401

    _ = transformers.Trainer, transformers.AutoModelForCausalLM, transformers.AutoTokenizer  # they import on first use
    _ = anthropic.Anthropic, anthropic.types, openai.OpenAI  # and so do these
    Plugins.instance()  # Hydra looks through all the packages there are
    get_checkpoint_conversion_mapping("qwen2")  # expressions for the weights' names, of all models at once
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # or each fork's own collections would copy all of it


class Server:
    """Forks on demand, and tells how each fork ended."""

    def __init__(self, control):
        self.control = control
        self.children = {}  # by the descriptor of the process: its number, and the pipe for what is told of it
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(control, selectors.EVENT_READ)

    def serve(self):
        """Returns in every fork, with its order; here at the end, with None."""
        while True:
            for key, _ in self.waiting.select():
                if key.fileobj is not self.control:
                    self._reap(key.fileobj)
                elif order := self._accept():
                    return order
                elif self.control.fileno() < 0:
                    return None

    def _accept(self):
        message, descriptors, *_ = socket.recv_fds(self.control, 1, 5)
        if not message:
            self._close()
            return None
        order, *streams, answers = descriptors
        pid = os.fork()
        if pid == 0:
            os.close(answers)
            return self._become(order, streams)
        for descriptor in (order, *streams):
            os.close(descriptor)
        tell(answers, pid=pid)
        child = os.pidfd_open(pid)
        self.children[child] = pid, answers
        self.waiting.register(child, selectors.EVENT_READ)
        return None

    def _reap(self, child):
        pid, answers = self.children.pop(child)
        self.waiting.unregister(child)
        _, ended = os.waitpid(pid, 0)
        tell(answers, code=os.waitstatus_to_exitcode(ended))
        os.close(answers)
        os.close(child)

    def _close(self):
        """Nobody will ask for them any more: `pytest` has ended, however that was."""
        self.control.close()
        for pid, _ in self.children.values():
            os.kill(pid, signal.SIGKILL)

    def _become(self, order, streams):
        """In the fork: nothing of the server's stays open, and signals are as a shell in the foreground leaves them."""
        self.waiting.close()
        self.control.close()
        for child, (_, answers) in self.children.items():
            os.close(child)
            os.close(answers)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN if number in IGNORED_BY_PYTHON else signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(order) as file:  # noqa: PTH123  # a descriptor
            return json.load(file)


def tell(answers, **what):
    """One line; whoever asked may be gone."""
    try:
        os.write(answers, json.dumps(what).encode() + b"\n")
    except BrokenPipeError:
        return


def run(arguments, cwd, environment, new_session):
    """What `python` with these arguments does."""
    if new_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    buffering = 1 if os.isatty(1) or environment.get("PYTHONUNBUFFERED") else -1
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=buffering, closefd=False)  # noqa: SIM115
    try:
        run_main(*arguments)
        status.append(0)
    except KeyboardInterrupt:
        raise  # Python then dies of the signal
    except SystemExit as leaving:
        status.append(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))
        raise
    except BaseException:
        status.append(1)
        raise


def run_main(what, *more):
    """A module, a line of code or a file, as the program's main module."""
    if what == "-c":
        code, *more = more
        main = sys.modules["__main__"] = ModuleType("__main__")
        sys.argv[:] = ["-c", *more]
        exec(compile(code, "<string>", "exec"), main.__dict__)
    elif what == "-m":
        sys.argv[:] = more
        runpy.run_module(more[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = [what, *more]
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    import_all()
    if wanted := Server(socket.socket(fileno=int(sys.argv[1]))).serve():
        run(**wanted)
