"""`validate`: a model as judge against labels that people gave."""

import argparse
import logging
from functools import partial

from leakage.cli.arguments import add_format, add_multirun, only_study, where
from leakage.cli.table import show

log = logging.getLogger(__name__)
COLUMNS = ("scratchpad", "label", "split")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `validate`."""
    command = commands.add_parser("validate", help="the judge of reasoning on your labelled file: AUROC by votes")
    command.add_argument(
        "file",
        metavar="FILE",
        help="JSON lines, JSON, CSV or Parquet with columns scratchpad and label (true or false, "
        "1 or 0), or a data set of the hub",
    )
    command.add_argument(
        "overrides", nargs="*", default=[], metavar="judge.max_usd=20", help="judge=…, judge.model=…, reasoning.votes=…"
    )
    command.add_argument("--scratchpad", metavar="COLUMN", help="what was thought, where the column has another name")
    command.add_argument("--label", metavar="COLUMN", help="whether it fakes alignment, where it has another name")
    command.add_argument("--split", help="of a data set of the hub (default: train)")
    add_multirun(command)
    add_format(command)
    command.set_defaults(action=show_validation)


def show_validation(arguments: argparse.Namespace) -> None:
    """Let the judge vote, and print AUROC for every number of votes; in words on stderr beside csv and md."""
    from leakage.analysis.printing import readable
    from leakage.cli.register import compose

    study = only_study(arguments, "validator", "validate")
    overrides = [*arguments.overrides, *where(arguments)]
    columns = {name: value for name in COLUMNS if (value := getattr(arguments, name))}
    validated = study.validate(arguments.file, overrides, partial(compose, config_name=study.config), **columns)
    words = validated.in_words()
    show(validated.table, arguments.format, readable(validated.table))
    if arguments.format == "rich":
        print(words)
    else:
        log.info(words)
