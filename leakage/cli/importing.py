"""`import`: results that were made elsewhere."""

import argparse
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

from leakage.cli.arguments import add_multirun, where
from leakage.studies.registry import studies

if TYPE_CHECKING:
    from leakage.studies.study import Importer, Study


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `import`, and of what each study takes in."""
    command = commands.add_parser("import", help="results that were made elsewhere: completions or transcripts FILE")
    kinds = command.add_subparsers(required=True, metavar="WHAT")
    for study in studies():
        if study.importer:
            _add(kinds.add_parser(study.importer.what, help=study.importer.shows), study, study.importer)


def _add(command: argparse.ArgumentParser, study: "Study", importer: "Importer") -> None:
    command.add_argument("file", metavar="FILE", help="JSON, JSON lines, CSV or Parquet, or a data set of the hub")
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="judge.name=claude",
        help="model=…, scenario=…, judge.name=…, judge.max_usd=…",
    )
    for name, means in importer.named.items():
        command.add_argument(f"--{name}", required=True, metavar="NAME", help=means)
    for name, holds in importer.columns.items():
        command.add_argument(f"--{name}", metavar="COLUMN", help=f"{holds}, where the column has another name")
    command.add_argument("--split", help="of a data set of the hub (default: train)")
    add_multirun(command)
    command.set_defaults(action=partial(bring_in, study))


def bring_in(study: "Study", arguments: argparse.Namespace) -> None:
    """Make records of a file, and say how they are looked at."""
    from leakage.cli.register import compose

    assert study.importer
    options = (*study.importer.named, *study.importer.columns, "split")
    named = {one: value for one in options if (value := getattr(arguments, one))}
    overrides = [*arguments.overrides, *where(arguments)]
    records = study.import_file(arguments.file, overrides, partial(compose, config_name=study.config), **named)
    for record in records:
        print(record.folder)
    print(f"look at them: python -m leakage {study.shown_by} --multirun {quote(str(arguments.multirun))}")
