"""How jobs stand, as text: for the end of a sweep and for `python -m leakage status`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from leakage.jobs.status import Standing, counted
from leakage.store.record import Status

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 2000  # characters of a line in a log: a job a line, however long, for those who search it


def outcome(missed: Sequence[Standing], *, of: int) -> str:
    """The end of a sweep: how many jobs are done, and a table of all that are not."""
    told = f"{of - len(missed)} of {of} jobs done"
    return f"{told}\n{as_text(board(missed))}" if missed else told


def board(found: Sequence[Standing]) -> "Table":
    """A row a job: how it stands, in which stage, how far or why not, and where its log is."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("status", "cell", "stage", "how far, or why not", "log"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(_coloured(one.status), one.label, one.stage, _told(one), one.log)
    return table


def page(found: Sequence[Standing]) -> Any:
    """What `status` shows: every job that is not done, and how many stand how."""
    from rich.console import Group

    order = [Status.RUNNING, Status.FAILED, Status.DAMAGED, Status.PARTIAL, Status.MISSING]
    rows = sorted((one for one in found if one.status is not Status.DONE), key=lambda one: order.index(one.status))
    total = counted(found) or "nothing planned yet"
    return Group(total, "", board(rows)) if rows else Group(total)  # the total first: a screen may be short


def as_text(shown: Any) -> str:
    """Anything rich can show, as plain text for a log."""
    from rich.console import Console

    console = Console(width=WIDTH, no_color=True)
    with console.capture() as captured:
        console.print(shown, highlight=False)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _told(one: Standing) -> str:
    if one.status is Status.RUNNING:
        return ", ".join(part for part in (one.progress, f"for {_span(one.age or 0)}") if part)
    if one.error:
        return one.error
    return "not begun" if one.status is Status.MISSING else "begun, and left"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _coloured(status: Status) -> str:
    colours = {Status.RUNNING: "cyan", Status.FAILED: "red", Status.DAMAGED: "red", Status.PARTIAL: "yellow"}
    colour = colours.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else str(status)
