"""`figures` and `report`: results as pictures and pages."""

import argparse
from pathlib import Path

from leakage.commands.given import add_multirun, add_points, frame_of


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `figures` and `report`."""
    figures = commands.add_parser("figures", help="draw the figures as PNG and PDF")
    figures.add_argument("--out", type=Path, help="folder of the figures (default: figures below --multirun)")
    figures.set_defaults(action=draw_figures)
    report = commands.add_parser("report", help="a folder of pages to explore: table, scatter, completions, write-up")
    report.add_argument("--out", type=Path, help="folder of the report (default: report below --multirun)")
    report.set_defaults(action=make_report)
    for command in (figures, report):
        add_multirun(command)
        add_points(command)


def draw_figures(given: argparse.Namespace) -> None:
    """Draw every figure of every model."""
    from leakage.figures.gallery import draw_all

    for path in draw_all(frame_of(given), given.out or given.multirun / "figures"):
        print(path)


def make_report(given: argparse.Namespace) -> None:
    """Write the folder of pages."""
    from leakage.report.write import write_report

    index = write_report(frame_of(given), given.multirun, given.out or given.multirun / "report")
    print(f"open it in a browser: {index}")
