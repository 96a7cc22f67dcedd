"""`figures` and `report`: results as pictures and pages."""

import argparse
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from leakage.cli.arguments import add_multirun, add_points, add_study, chosen_studies, frame_of
from leakage.studies.registry import studies

if TYPE_CHECKING:
    import pandas as pd

    from leakage.report.drawing import Drawing
    from leakage.studies.study import Study


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `figures` and `report`."""
    figures = commands.add_parser("figures", help="draw the figures as PNG and PDF")
    figures.set_defaults(action=draw_figures)
    report = commands.add_parser("report", help="a folder of pages to explore: tables, pictures, what was said")
    report.add_argument("--samples", type=_positive, help="of each prompt (default: as many as keep it below 30 MB)")
    report.set_defaults(action=make_report)
    for command, name in ((figures, "figures"), (report, "report")):
        command.add_argument("--out", type=Path, help=f"folder to write (default: {name} below --multirun)")
        add_study(command, every=True)
        add_multirun(command)
        add_points(command)


def draw_figures(arguments: argparse.Namespace) -> None:
    """Draw every figure of every model."""
    from leakage.report.drawing import draw_all

    for study in chosen_studies(arguments, more=True):
        frame = frame_of(arguments, study, may_be_empty=bool(study.more_kinds))
        drawings = _drawings(arguments, study, frame)
        if not drawings:
            frame_of(arguments, study)  # says that there is nothing, and what to run
        for path in draw_all(drawings, _out(arguments, "figures")):
            print(path)


def make_report(arguments: argparse.Namespace) -> None:
    """Write the folder of pages, with every figure in it; of each study its own."""
    from leakage.cli.register import compose
    from leakage.report.drawing import draw_all
    from leakage.report.folder import check_free, mark

    chosen = chosen_studies(arguments)
    for study in chosen:
        folder = _report_folder(arguments, study, several=len(chosen) > 1)
        check_free(folder)
        frame = frame_of(arguments, study)
        with TemporaryDirectory() as pictures:
            drawn = list(draw_all(_drawings(arguments, study, frame), Path(pictures)))
            index = study.report(
                frame, arguments.multirun, folder, figures=Path(pictures), samples=arguments.samples,
                compose=partial(compose, config_name=study.config),
            )  # fmt: skip
        mark(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        print(f"{size:.0f} MB with {len(drawn) // 2} figures; open it in a browser: {index}")


def _report_folder(arguments: argparse.Namespace, study: "Study", *, several: bool) -> Path:
    """A folder of its own for each study: the first's is named as asked, another's after it as well."""
    usual = _out(arguments, "report")
    if study == studies()[0] or (arguments.out and not several):
        return usual
    return usual.with_name(f"{usual.name}-{study.name}")


def _drawings(arguments: argparse.Namespace, study: "Study", frame: "pd.DataFrame") -> "dict[str, Drawing]":
    return study.figures(frame, None if arguments.points else arguments.multirun)


def _out(arguments: argparse.Namespace, name: str) -> Path:
    """Where to write; what comes of an outside result stays apart from that of the results."""
    below = (
        arguments.multirun / f"points-{'-'.join(path.stem for path in arguments.points)}"
        if arguments.points
        else arguments.multirun
    )
    return Path(arguments.out or below / name)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of samples; give 1 or more")
    return int(text)
