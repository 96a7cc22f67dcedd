"""`python -m leakage table | figures | status`: look at results; loads no torch."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import StoreError
from leakage.guard import guarded

if TYPE_CHECKING:
    import pandas as pd


def main() -> None:
    """Parse the command line and do what it asks."""
    parser = argparse.ArgumentParser(prog="python -m leakage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="table|figures|status")
    table = commands.add_parser("table", help="the headline table: one row a cell")
    table.add_argument("--format", choices=("rich", "md", "csv"), default="rich", help="default: %(default)s")
    figures = commands.add_parser("figures", help="draw the figures as PNG and PDF")
    figures.add_argument("--out", type=Path, help="folder of the figures (default: figures below --multirun)")
    status = commands.add_parser("status", help="how every result folder stands")
    for command, action in ((table, show_table), (figures, draw_figures), (status, show_status)):
        command.add_argument(
            "--multirun", type=_folder, default=Path("multirun"), help="results (default: %(default)s)"
        )
        command.set_defaults(action=action)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="warning: %(message)s")
    given.action(given)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty text names no folder")
    return Path(text)


def show_table(given: argparse.Namespace) -> None:
    """Print the headline table in the form asked for."""
    from leakage.analysis.tables import as_csv, as_markdown, headline, print_rich

    table = headline(_results(given.multirun))
    if given.format == "rich":
        print_rich(table)
    else:
        print(as_csv(table) if given.format == "csv" else as_markdown(table), end="")


def draw_figures(given: argparse.Namespace) -> None:
    """Draw every figure of every model."""
    from leakage.figures.gallery import draw_all

    for path in draw_all(_results(given.multirun), given.out or given.multirun / "figures"):
        print(path)


def show_status(given: argparse.Namespace) -> None:
    """Print how every result folder stands, failures with their reason."""
    from leakage.store.results import find

    found = find(_existing(given.multirun))
    for one in found:
        reason = f"   {one.reason}" if one.reason else ""
        print(f"{one.status:8} {one.folder.relative_to(given.multirun)}{reason}")
    counts = {status: sum(one.status is status for one in found) for status in {one.status for one in found}}
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no results yet")


def _existing(multirun: Path) -> Path:
    if not multirun.is_dir():
        raise StoreError(
            f"there is no folder of results '{multirun}'; name it with --multirun, or make one: python run.py"
        )
    return multirun


def _results(multirun: Path) -> "pd.DataFrame":
    """The tidy frame, or a sentence where there is nothing to read."""
    from leakage.store.results import results

    frame = results(_existing(multirun))
    if frame.empty:
        raise StoreError(f"no finished cell below {multirun}; run one first: python run.py")
    return frame


if __name__ == "__main__":
    guarded(main)
