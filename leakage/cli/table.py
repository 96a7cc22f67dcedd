"""`table` and `agreement`: results as rows."""

import argparse
from shlex import quote
from typing import TYPE_CHECKING

from leakage.cli.arguments import add_format, add_multirun, add_points, add_study, existing, frame_of, with_results
from leakage.errors import ConfigError, StoreError, nearest
from leakage.progress import waiting
from leakage.studies.registry import studies, study_named

if TYPE_CHECKING:
    import pandas as pd

    from leakage.studies.study import Study, View


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `table` and `agreement`."""
    table = commands.add_parser(
        "table", help="the headline table: one row a result", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(_views(study) for study in studies()),
    )  # fmt: skip
    add_study(table, every=False)
    table.add_argument("--by", metavar="VIEW", help="what a row is; see below (default: the first)")
    add_points(table)
    table.set_defaults(action=show_table)
    agree = commands.add_parser("agreement", help="how far two judges of the same answers agree")
    add_study(agree, every=True)
    agree.set_defaults(action=show_agreement)
    for command in (table, agree):
        add_multirun(command)
        add_format(command)


def _views(study: "Study") -> str:
    usual = study == studies()[0]
    rows = [f"  {name:13} {view.shows}" for name, view in study.views.items()]
    return "\n".join([f"--by{'' if usual else f' with --study {study.name}'}", *rows])


def show_table(arguments: argparse.Namespace) -> None:
    """Print a table of the results in the form asked for."""
    study = study_named(arguments.study)
    name = arguments.by or next(iter(study.views))
    view = _view(study, name)
    frame = frame_of(arguments, study)
    with waiting(f"table by {name} of {len(frame)} rows"):
        table = view.make(frame)
    if table.empty:
        raise StoreError(f"nothing to show by {name}: {view.empty}")
    show(table, arguments.format, study.telling(table))
    if name == next(iter(study.views)) and arguments.format == "rich":
        print(study.in_words(table))


def _view(study: "Study", name: str) -> "View":
    if name not in study.views:
        close = nearest(name, study.views)
        raise ConfigError(f"--by {name}: there is no such table{close}; there are {', '.join(study.views)}")
    return study.views[name]


def show_agreement(arguments: argparse.Namespace) -> None:
    """Print how far judges agree, for every pair of them that has read the same answers, study by study."""
    from leakage.analysis.printing import readable

    multirun = existing(arguments.multirun)
    named = [study_named(arguments.study)] if arguments.study else with_results(multirun)
    asked = [study for study in named if study.agreer] or [studies()[0]]
    tables = [table for study in asked if not (table := study.agreement(multirun)).empty]
    if not tables:
        judge = f"--study {asked[0].name} {asked[0].second_judge}"
        raise StoreError(
            f"below {multirun} no answers have been read by two judges; add one: python -m leakage rejudge {judge} "
            f"--multirun {quote(str(multirun))}"
        )
    for table in tables:
        show(table, arguments.format, readable(table))


def show(table: "pd.DataFrame", form: str, shown: "pd.DataFrame") -> None:
    """Print the whole table as CSV or Markdown, or what is shown of it in a terminal."""
    from leakage.analysis.printing import as_csv, as_markdown, print_rich

    if form == "rich":
        print_rich(shown)
    else:
        print(as_csv(table) if form == "csv" else as_markdown(table), end="")
