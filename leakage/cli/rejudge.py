"""`rejudge`: another judge for answers that are there."""

import argparse
from pathlib import Path

from leakage.cli.arguments import MULTIRUN, add_multirun, existing
from leakage.settings.overrides import override


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `rejudge`."""
    again = commands.add_parser("rejudge", help="another judge for finished answers; generates nothing")
    again.add_argument("overrides", nargs="*", metavar="judge=claude", help="as for run.py: judge=…, judge.max_usd=…")
    again.add_argument("--behavior", help="only answers of this behavior")
    add_multirun(again)
    again.set_defaults(action=judge_again)


def judge_again(given: argparse.Namespace) -> None:
    """Let another judge read what is there."""
    from leakage.cli.register import compose
    from leakage.studies.persona_leakage.rejudge import rejudge

    where = [override("paths.multirun", given.multirun)] if given.multirun != MULTIRUN else []
    config = compose([*given.overrides, *where])
    done = rejudge(existing(Path(config.paths.multirun)), config.judge, only=given.behavior)
    print(f"{len(done)} sets of answers judged" if done else "nothing to judge: this judge has read all there is")
    print("compare judges with: python -m leakage agreement")
