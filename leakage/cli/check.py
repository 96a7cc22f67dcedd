"""`check`: what a model's chat template makes of a conversation, and whether that can be taught and asked."""

import argparse

from leakage.settings.overrides import setting_of


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `check`."""
    command = commands.add_parser("check", help="a model and its chat template, before anything is computed")
    command.add_argument("overrides", nargs="*", metavar="model=hf", help="as for run.py: model.path=…, lora=…")
    command.set_defaults(action=look)


def look(arguments: argparse.Namespace) -> None:
    """Show what is read and learnt; what is wrong with it is an error, with the mend of each."""
    from leakage.cli.primary import study_of_keys
    from leakage.cli.register import compose
    from leakage.jobs.preflight import describe
    from leakage.studies.registry import job_of, studies

    keys = [setting_of(one) for one in arguments.overrides]
    study = study_of_keys(keys) or studies()[0]
    for line in describe(job_of(compose(arguments.overrides, study.config))):
        print(line)
    print("nothing is wrong with it")
