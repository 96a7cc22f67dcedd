"""`rejudge`: another judge for answers that are there."""

import argparse
from pathlib import Path
from shlex import quote

from leakage.cli.arguments import add_multirun, add_study, existing, only_study, where, with_results
from leakage.errors import ConfigError
from leakage.studies.registry import studies


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `rejudge`."""
    again = commands.add_parser("rejudge", help="another judge for finished answers; generates nothing")
    again.add_argument("overrides", nargs="*", metavar="judge=claude", help="as for run.py: judge=…, judge.max_usd=…")
    again.add_argument("--behavior", "--scenario", dest="only", help="only answers of this behavior or scenario")
    add_study(again, every=True)
    add_multirun(again)
    again.set_defaults(action=judge_again)


def judge_again(arguments: argparse.Namespace) -> None:
    """Let another judge read what is there, of the study named or of every one that has results."""
    from leakage.cli.register import compose

    if planned := [one for one in arguments.overrides if one.split("=")[0] == "plan"]:
        raise ConfigError(
            f"{planned[0]}: rejudge has no plan and would ask; leave it out, and cap the cost with judge.max_usd"
        )
    named = [only_study(arguments, "rejudger", "rejudge")] if arguments.study else []
    present = [] if named else [study for study in with_results(existing(arguments.multirun)) if study.rejudger]
    judged = 0
    for study in named or present or [studies()[0]]:
        config = compose([*arguments.overrides, *where(arguments)], study.config)
        existing(Path(config.paths.multirun))
        judged += len(study.rejudge(config, only=arguments.only))
    print(f"{judged} sets of answers judged" if judged else "nothing to judge: this judge has read all there is")
    print(f"compare judges with: python -m leakage agreement --multirun {quote(str(arguments.multirun))}")
