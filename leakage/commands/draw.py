"""`figures` and `report`: results as pictures and pages."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from leakage.commands.given import add_multirun, add_points, frame_of


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `figures` and `report`."""
    figures = commands.add_parser("figures", help="draw the figures as PNG and PDF")
    figures.set_defaults(action=draw_figures)
    report = commands.add_parser("report", help="a folder of pages to explore: table, scatter, completions, write-up")
    report.add_argument("--samples", type=_positive, help="of each prompt (default: as many as keep it below 30 MB)")
    report.set_defaults(action=make_report)
    for command, name in ((figures, "figures"), (report, "report")):
        command.add_argument("--out", type=Path, help=f"folder to write (default: {name} below --multirun)")
        add_multirun(command)
        add_points(command)


def draw_figures(given: argparse.Namespace) -> None:
    """Draw every figure of every model."""
    from leakage.figures.gallery import draw_all

    for path in draw_all(frame_of(given), _out(given, "figures")):
        print(path)


def make_report(given: argparse.Namespace) -> None:
    """Write the folder of pages, with every figure in it."""
    from leakage.figures.gallery import draw_all
    from leakage.report.write import check_free, write_report

    folder = _out(given, "report")
    check_free(folder)
    frame = frame_of(given)
    with TemporaryDirectory() as pictures:
        drawn = list(draw_all(frame, Path(pictures)))
        index = write_report(frame, given.multirun, folder, figures=Path(pictures), samples=given.samples)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{size:.0f} MB with {len(drawn) // 2} figures and a write-up; open it in a browser: {index}")


def _out(given: argparse.Namespace, name: str) -> Path:
    """Where to write; what comes of an outside result stays apart from that of the results."""
    below = given.multirun / f"points-{given.points.stem}" if given.points else given.multirun
    return Path(given.out or below / name)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of samples; give 1 or more")
    return int(text)
