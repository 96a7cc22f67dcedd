"""`status`: how jobs and their folders stand."""

import argparse
from pathlib import Path

from leakage.cli.arguments import add_multirun, existing

WATCH_S = 2.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `status`."""
    status = commands.add_parser("status", help="how every job stands: done, running, failed with its reason, missing")
    status.add_argument("--watch", action="store_true", help="keep it on the screen")
    status.add_argument("--folders", action="store_true", help="every result folder instead, done ones too")
    add_multirun(status)
    status.set_defaults(action=show_status)


def show_status(arguments: argparse.Namespace) -> None:
    """Print how every job stands, once or until Ctrl-C."""
    multirun = existing(arguments.multirun)
    if arguments.folders:
        show_folders(multirun)
    elif arguments.watch:
        watch(multirun)
    else:
        from rich.console import Console

        from leakage.jobs.status import all_jobs, as_text, page

        console, shown = Console(), page(all_jobs(multirun))
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

    from leakage.jobs.status import all_jobs, page

    console = Console(highlight=False)
    with suppress(KeyboardInterrupt), Live(page(all_jobs(multirun)), console=console, auto_refresh=False) as live:
        while True:
            sleep(WATCH_S)
            live.update(page(all_jobs(multirun)), refresh=True)


def show_folders(multirun: Path) -> None:
    """Print how every result folder stands, failures with their reason."""
    from leakage.store.find import find

    records = find(multirun)
    for one in records:
        reason = f"   {one.reason}" if one.reason else ""
        print(f"{one.status:8} {one.folder.relative_to(multirun)}{reason}")
    counts = {status: sum(one.status is status for one in records) for status in {one.status for one in records}}
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no results yet")
