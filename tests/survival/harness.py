"""A cell in a process of its own that a test may kill: everything is imported once, and each start is a fork.

Run as a program: one JSON line a start on stdin ({"overrides": […], "kill_after": seconds or null}), one line on stdout
for each ({"code": exit status or minus the signal, "seconds": …}).
"""

import json
import os
import select
import signal
import sys
import time


def main() -> None:
    import pandas  # noqa: F401  # all that a job imports, before the first fork
    import peft  # noqa: F401
    import torch
    import transformers

    import leakage.studies.persona_leakage.cell
    import leakage.training.checkpoints
    import leakage.training.sft  # noqa: F401
    from leakage.cli.register import compose

    torch.set_num_threads(1)
    _ = transformers.Trainer, transformers.AutoModelForCausalLM  # they import on first use
    for line in sys.stdin:
        order = json.loads(line)
        config = compose(order["overrides"])
        print(json.dumps(_start(config, order["kill_after"])), flush=True)


def _start(config, kill_after):
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(config)
    descriptor = os.pidfd_open(child)
    try:
        if kill_after is not None and not select.select([descriptor], [], [], kill_after)[0]:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(descriptor)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}


def _child(config):
    from leakage.jobs.run import run
    from leakage.studies.registry import job_of

    sys.stdin.close()
    os.dup2(2, 1)  # stdout is for the answers
    code = 1
    try:
        run(job_of(config))
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
