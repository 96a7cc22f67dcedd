"""`python -m leakage table | figures | status | rejudge | agreement | site`: look at results; loads no torch."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.errors import StoreError
from leakage.guard import guarded

if TYPE_CHECKING:
    import pandas as pd


MULTIRUN = Path("multirun")
WATCH_S = 2.0


def main() -> None:
    """Parse the command line and do what it asks."""
    parser = argparse.ArgumentParser(prog="python -m leakage", description=__doc__)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="table|figures|status|rejudge|agreement|site"
    )
    table = commands.add_parser("table", help="the headline table: one row a cell")
    table.add_argument("--by", choices=("cell", "category", "layer"), default="cell", help="a row for each of these")
    figures = commands.add_parser("figures", help="draw the figures as PNG and PDF")
    figures.add_argument("--out", type=Path, help="folder of the figures (default: figures below --multirun)")
    status = commands.add_parser("status", help="how every job stands: done, running, failed with its reason, missing")
    status.add_argument("--watch", action="store_true", help="keep it on the screen")
    status.add_argument("--folders", action="store_true", help="every result folder instead, done ones too")
    again = commands.add_parser("rejudge", help="another judge for finished answers; generates nothing")
    again.add_argument("overrides", nargs="*", metavar="judge=claude", help="as for run.py: judge=…, judge.max_usd=…")
    again.add_argument("--behavior", help="only answers of this behavior")
    agree = commands.add_parser("agreement", help="how far two judges of the same answers agree")
    for command, action in (
        (table, show_table), (figures, draw_figures), (status, show_status), (again, judge_again),
        (agree, show_agreement),
    ):  # fmt: skip
        command.add_argument("--multirun", type=_folder, default=MULTIRUN, help="results (default: %(default)s)")
        command.set_defaults(action=action)
    for command in (table, agree):
        command.add_argument("--format", choices=("rich", "md", "csv"), default="rich", help="default: %(default)s")
    _add_site(commands.add_parser("site", help="write the settings of a SLURM site to conf/local/default.yaml"))
    given, more = parser.parse_known_args()  # settings may stand anywhere among the flags
    if wrong := [one for one in more if given.command != "rejudge" or one.startswith("-") or "=" not in one]:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    if given.command == "rejudge":
        given.overrides += more
    level = logging.INFO if given.command == "rejudge" else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s" if level == logging.INFO else "warning: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request would bury ours
    given.action(given)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty text names no folder")
    return Path(text)


def show_table(given: argparse.Namespace) -> None:
    """Print a table of the results in the form asked for."""
    from leakage.analysis.tables import by_category, by_layer, headline, readable, telling

    table = {"cell": headline, "category": by_category, "layer": by_layer}[given.by](_results(given.multirun))
    _show(table, given.format, telling(table) if given.by == "cell" else readable(table))


def show_agreement(given: argparse.Namespace) -> None:
    """Print how far judges agree, for every pair of them that has read the same answers."""
    from leakage.analysis.agreement import agreement
    from leakage.analysis.tables import readable
    from leakage.store.results import verdict_pairs

    pairs = verdict_pairs(_existing(given.multirun))
    if pairs.empty:
        raise StoreError(
            f"below {given.multirun} no answers have been read by two judges; add one: "
            f"python -m leakage rejudge judge=claude judge.max_usd=5 --multirun {given.multirun}"
        )
    table = agreement(pairs)
    _show(table, given.format, readable(table))


def _show(table: "pd.DataFrame", form: str, shown: "pd.DataFrame") -> None:
    """Print the whole table as CSV or Markdown, or what is shown of it in a terminal."""
    from leakage.analysis.tables import as_csv, as_markdown, print_rich

    if form == "rich":
        print_rich(shown)
    else:
        print(as_csv(table) if form == "csv" else as_markdown(table), end="")


def judge_again(given: argparse.Namespace) -> None:
    """Let another judge read what is there."""
    from leakage.register import compose
    from leakage.rejudge import rejudge

    where = [f"paths.multirun={given.multirun}"] if given.multirun != MULTIRUN else []
    config = compose([*given.overrides, *where])
    done = rejudge(_existing(Path(config.paths.multirun)), config.judge, only=given.behavior)
    print(f"{len(done)} sets of answers judged" if done else "nothing to judge: this judge has read all there is")
    print("compare judges with: python -m leakage agreement")


def draw_figures(given: argparse.Namespace) -> None:
    """Draw every figure of every model."""
    from leakage.figures.gallery import draw_all

    for path in draw_all(_results(given.multirun), given.out or given.multirun / "figures"):
        print(path)


def show_status(given: argparse.Namespace) -> None:
    """Print how every job stands, once or until Ctrl-C."""
    multirun = _existing(given.multirun)
    if given.folders:
        show_folders(multirun)
    elif given.watch:
        watch(multirun)
    else:
        from rich.console import Console

        from leakage.board import as_text, page
        from leakage.store.standing import standings

        console, shown = Console(), page(standings(multirun))
        if console.is_terminal:
            console.print(shown, highlight=False)
        else:
            print(as_text(shown))


def watch(multirun: Path) -> None:
    """Keep the status on the screen until Ctrl-C."""
    from contextlib import suppress
    from time import sleep

    from rich.console import Console
    from rich.live import Live

    from leakage.board import page
    from leakage.store.standing import standings

    console = Console(highlight=False)
    with suppress(KeyboardInterrupt), Live(page(standings(multirun)), console=console, auto_refresh=False) as live:
        while True:
            sleep(WATCH_S)
            live.update(page(standings(multirun)), refresh=True)


def show_folders(multirun: Path) -> None:
    """Print how every result folder stands, failures with their reason."""
    from leakage.store.find import find

    found = find(multirun)
    for one in found:
        reason = f"   {one.reason}" if one.reason else ""
        print(f"{one.status:8} {one.folder.relative_to(multirun)}{reason}")
    counts = {status: sum(one.status is status for one in found) for status in {one.status for one in found}}
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no results yet")


def _add_site(command: argparse.ArgumentParser) -> None:
    command.add_argument("site", help="slurm_h200")
    for name, text in (
        ("model", "default model of this site (qwen2.5-7b-instruct)"), ("partition", "SLURM's default where not given"),
        ("account", "to whom the time is charged"), ("setup", "a shell line before a job starts"),
    ):  # fmt: skip
        command.add_argument(f"--{name}", help=text)
    for name, usual in (("minutes", 240), ("cpus", 8), ("memory-gb", 64)):
        command.add_argument(f"--{name}", type=int, default=usual, help="of a job (default: %(default)s)")
    command.set_defaults(action=make_site)


def make_site(given: argparse.Namespace) -> None:
    """Write the site's settings and say what they change."""
    from leakage.site import Site, write_site

    given_names = {name: getattr(given, name) or None for name in ("model", "partition", "account", "setup")}
    file = write_site(given.site, Site(given.minutes, given.cpus, given.memory_gb or None, **given_names))
    print(f"{file.read_text()}\nwritten to {file}; from now on `python run.py -m …` runs there")


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
