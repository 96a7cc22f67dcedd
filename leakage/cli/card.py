"""`card`: a training set of one's own, from its file to a page that says what it does to everyone else."""

import argparse
from functools import partial
from pathlib import Path

from leakage.cli.arguments import add_multirun, only_study, where


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `card`."""
    command = commands.add_parser("card", help="a training set of your own: what does it do to everyone else?")
    command.add_argument("file", metavar="FILE", help="chats in any usual form, or a data set of the hub")
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="model=…",
        help="as for run.py: source=…, behavior=…, eval.samples=5",
    )
    command.add_argument("--out", type=Path, metavar="FOLDER", help="where to write it (default: below --multirun)")
    add_multirun(command)
    command.set_defaults(action=write_card)


def write_card(arguments: argparse.Namespace) -> None:
    """Make the card, and say what it says."""
    from leakage.cli.register import compose

    study = only_study(arguments, "carder", "card")
    overrides = [*arguments.overrides, *where(arguments)]
    page, said = study.card(arguments.file, overrides, partial(compose, config_name=study.config), out=arguments.out)
    print(said)
    print(f"open it in a browser: {page} (card.json beside it has the numbers and the digests)")
