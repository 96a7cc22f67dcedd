"""`table` and `agreement`: results as rows."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from leakage.cli.arguments import add_multirun, add_points, add_study, existing, frame_of
from leakage.errors import ConfigError, StoreError, nearest
from leakage.progress import waiting

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class View:
    """A table of the frame: the function that makes it, what it shows, and why it may have no rows."""

    of: str
    told: str
    empty: str = "no cell has what it needs"

    def make(self) -> "Callable[[pd.DataFrame], pd.DataFrame]":
        """The function, from its module."""
        from importlib import import_module

        module, _, name = self.of.rpartition(".")
        made: Callable[[pd.DataFrame], pd.DataFrame] = getattr(import_module(f"leakage.{module}"), name)
        return made


FIRST, SECOND = "studies.persona_leakage.analysis.", "studies.alignment_faking."
TWO_SOURCES = "it takes two sources of one behavior: python run.py -m source=villain,comedian"
VIEWS = {
    "cell": View(f"{FIRST}tables.headline", "rho of each cell"),
    "category": View(f"{FIRST}tables.by_category", "mean delta and rho of each kind of persona"),
    "layer": View(
        f"{FIRST}tables.by_layer", "rho with every cosine measured (exploratory)", "one cosine is known, or none"
    ),
    "seed": View(f"{FIRST}seeds.by_seed", "the seeds of a cell taken together"),
    "control": View(
        f"{FIRST}controls.against_designs", "sham adapters and other controls beside their cells",
        "no control has been run: python run.py experiment=controls",
    ),
    "mismatched": View(
        f"{FIRST}controls.mismatched", "cosine to one source against the deltas of another", TWO_SOURCES
    ),
    "sources": View(f"{FIRST}controls.between_sources", "how alike two sources change everyone", TWO_SOURCES),
    "outlier": View(
        f"{FIRST}outliers.outliers", "personas far from what their cosine predicts",
        "no persona is that far off, or none has both a delta and a cosine",
    ),
}  # fmt: skip
TWO_SCENARIOS = (
    "it takes two scenarios of one subject: python run.py --config-name faking -m scenario=two_tiers,three_tiers"
)
FAKING_VIEWS = {
    "cell": View(f"{SECOND}tables.gaps", "every gap of compliance, with its interval and tests"),
    "outcome": View(f"{SECOND}tables.outcomes", "the six outcome classes by tier"),
    "missing": View(f"{SECOND}tables.missing_reasons", "why replies or verdicts are missing", "none is missing"),
    "motive": View(f"{SECOND}tables.motives", "motives by tier", "no scratchpad was judged"),
    "hypothesis": View(f"{SECOND}tables.hypotheses", "which hypothesis names the gaps that were found", TWO_SCENARIOS),
    "perturbation": View(
        f"{SECOND}tables.perturbations", "each scenario's gap against that of two_tiers", TWO_SCENARIOS
    ),
    "seed": View(f"{SECOND}tables.by_seed", "the seeds of a trial taken together"),
}  # fmt: skip
STUDIES = {"leakage": VIEWS, "faking": FAKING_VIEWS}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `table` and `agreement`."""
    table = commands.add_parser(
        "table", help="the headline table: one row a cell", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(_views(study) for study in STUDIES),
    )  # fmt: skip
    add_study(table)
    table.add_argument("--by", default="cell", metavar="VIEW", help="what a row is; see below")
    add_points(table)
    table.set_defaults(action=show_table)
    agree = commands.add_parser("agreement", help="how far two judges of the same answers agree")
    agree.set_defaults(action=show_agreement)
    for command in (table, agree):
        add_multirun(command)
        command.add_argument("--format", choices=("rich", "md", "csv"), default="rich", help="default: %(default)s")


def _views(study: str) -> str:
    rows = [f"  {name:13} {view.told}" for name, view in STUDIES[study].items()]
    return "\n".join([f"--by{'' if study == 'leakage' else f' with --study {study}'}", *rows])


def show_table(given: argparse.Namespace) -> None:
    """Print a table of the results in the form asked for."""
    from leakage.analysis import printing as first
    from leakage.studies.alignment_faking import printing as second

    view = _view(given)
    frame = frame_of(given, given.study)
    with waiting(f"table by {given.by} of {len(frame)} rows"):
        table = view.make()(frame)
    if table.empty:
        raise StoreError(f"nothing to show by {given.by}: {view.empty}")
    words = second if given.study == "faking" else first
    _show(table, given.format, words.telling(table))
    if given.by == "cell" and given.format == "rich":
        print(words.in_words(table))


def _view(given: argparse.Namespace) -> View:
    views = STUDIES[given.study]
    if given.by not in views:
        raise ConfigError(
            f"--by {given.by}: there is no such table{nearest(given.by, views)}; there are {', '.join(views)}"
        )
    return views[given.by]


def show_agreement(given: argparse.Namespace) -> None:
    """Print how far judges agree, for every pair of them that has read the same answers."""
    from leakage.analysis.printing import readable
    from leakage.studies.persona_leakage.analysis.agreement import agreement
    from leakage.studies.persona_leakage.results import verdict_pairs

    pairs = verdict_pairs(existing(given.multirun))
    if pairs.empty:
        raise StoreError(
            f"below {given.multirun} no answers have been read by two judges; add one: "
            f"python -m leakage rejudge judge=claude judge.max_usd=5 --multirun {quote(str(given.multirun))}"
        )
    table = agreement(pairs)
    _show(table, given.format, readable(table))


def _show(table: "pd.DataFrame", form: str, shown: "pd.DataFrame") -> None:
    """Print the whole table as CSV or Markdown, or what is shown of it in a terminal."""
    from leakage.analysis.printing import as_csv, as_markdown, print_rich

    if form == "rich":
        print_rich(shown)
    else:
        print(as_csv(table) if form == "csv" else as_markdown(table), end="")
