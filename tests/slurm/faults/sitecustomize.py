"""What goes wrong in a job, on a test's order: Python imports this file by itself where its folder is in PYTHONPATH.

A test writes what is to happen into the file LEAKAGE_FAULTS/<source>; it happens once, as that training begins.
"""

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

TARGET = "leakage.training.sft"


class BrokenError(Exception):
    """An exception that pickles and cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def happen(label, module):
    """Do what the order for this cell says, if there is one."""
    source = label.partition(" x ")[2].partition(" ")[0]
    order = Path(os.environ["LEAKAGE_FAULTS"]) / source
    if not order.exists():
        return
    what = order.read_text()
    if what == "slow":  # in every start, till the test takes the order away
        slow_down(module, order)
        return
    order.unlink()
    if what == "exception":
        raise ValueError("injected")
    if what == "unpicklable":
        raise BrokenError("one", "two")
    if what == "exit":
        sys.exit(3)
    if what == "os_exit":
        os._exit(4)
    os.kill(os.getpid(), signal.SIGKILL)


def slow_down(module, order):
    """Two seconds a step, so that a test can meet the job in the midst of its training."""
    gradient = module.Steps.gradient

    def slow_gradient(*arguments):
        order.with_name(f"{order.name}.training").touch()
        if order.exists():
            time.sleep(2)
        return gradient(*arguments)

    module.Steps.gradient = slow_gradient


class Finder:
    """Lets the real module load, then puts `happen` before its training."""

    def find_spec(self, name, _path=None, _target=None):
        if name != TARGET:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            train = module.train_adapter

            def train_adapter(*arguments, **named):
                happen(named["label"], module)
                return train(*arguments, **named)

            module.train_adapter = train_adapter

        spec.loader.exec_module = exec_module
        return spec


if "LEAKAGE_FAULTS" in os.environ:
    sys.meta_path.insert(0, Finder())
