"""`figures` and `report`: results as pictures and pages."""

import argparse
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from leakage.cli.arguments import add_multirun, add_points, add_study, frame_of, studies_with_results

if TYPE_CHECKING:
    import pandas as pd

    from leakage.report.drawing import Drawing


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `figures` and `report`."""
    figures = commands.add_parser("figures", help="draw the figures as PNG and PDF")
    figures.set_defaults(action=draw_figures)
    report = commands.add_parser("report", help="a folder of pages to explore: tables, pictures, what was said")
    report.add_argument("--samples", type=_positive, help="of each prompt (default: as many as keep it below 30 MB)")
    report.set_defaults(action=make_report)
    for command, name in ((figures, "figures"), (report, "report")):
        command.add_argument("--out", type=Path, help=f"folder to write (default: {name} below --multirun)")
        add_study(command, usual=None)
        add_multirun(command)
        add_points(command)


def draw_figures(given: argparse.Namespace) -> None:
    """Draw every figure of every model."""
    from leakage.report.drawing import draw_all

    for study in studies_with_results(given, validated=True):
        curves = _curves(given, study)
        frame = frame_of(given, study, may_be_empty=bool(curves))
        drawing = curves if frame.empty else _drawings(study, frame) | curves
        for path in draw_all(drawing, _out(given, "figures")):
            print(path)


def make_report(given: argparse.Namespace) -> None:
    """Write the folder of pages, with every figure in it; of each study its own."""
    from leakage.report.drawing import draw_all
    from leakage.report.folder import check_free

    for study in studies_with_results(given):
        folder = _out(given, "report" if study == "leakage" else f"report-{study}")
        check_free(folder)
        frame = frame_of(given, study)
        with TemporaryDirectory() as pictures:
            drawn = list(draw_all(_drawings(study, frame) | _curves(given, study), Path(pictures)))
            index = _write(given, study, frame, folder, Path(pictures))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        print(f"{size:.0f} MB with {len(drawn) // 2} figures; open it in a browser: {index}")


def _drawings(study: str, frame: "pd.DataFrame") -> "dict[str, Drawing]":
    if study == "faking":
        from leakage.studies.alignment_faking.figures.gallery import drawings as of_trials

        return of_trials(frame)
    from leakage.studies.persona_leakage.figures.gallery import drawings

    return drawings(frame)


def _curves(given: argparse.Namespace, study: str) -> "dict[str, Drawing]":
    """AUROC against the number of votes, of every validation of the judge."""
    from leakage.report.drawing import file_name
    from leakage.studies.alignment_faking.auroc import PUBLISHED_AUROC, PUBLISHED_VOTES
    from leakage.studies.alignment_faking.figures.votes import auroc_against_votes
    from leakage.studies.alignment_faking.validation import validations

    published = PUBLISHED_VOTES, PUBLISHED_AUROC
    return {
        file_name(f"faking-auroc-{one.folder.parent.name}-{one.folder.name}"): partial(
            auroc_against_votes, one.table, published=published
        )
        for one in (validations(given.multirun) if study == "faking" else [])
    }


def _write(given: argparse.Namespace, study: str, frame: "pd.DataFrame", folder: Path, pictures: Path) -> Path:
    if study == "faking":
        from leakage.studies.alignment_faking.report.write import write_report as write_trials

        return write_trials(given.multirun, folder, figures=pictures)
    from leakage.studies.persona_leakage.report.write import write_report

    return write_report(frame, given.multirun, folder, figures=pictures, samples=given.samples)


def _out(given: argparse.Namespace, name: str) -> Path:
    """Where to write; what comes of an outside result stays apart from that of the results."""
    below = given.multirun / f"points-{given.points.stem}" if given.points else given.multirun
    return Path(given.out or below / name)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of samples; give 1 or more")
    return int(text)
