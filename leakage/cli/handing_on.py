"""`bundle`, `verify` and `export`: results for somebody else, and of somebody else."""

import argparse
import logging
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from leakage.cli.arguments import add_multirun, add_study, chosen_studies, existing
from leakage.errors import StoreError
from leakage.progress import waiting
from leakage.studies.registry import studies, study_named

if TYPE_CHECKING:
    from leakage.handing_on.index import Index
    from leakage.studies.checking import Again


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `bundle`, `verify` and `export`."""
    bundle = commands.add_parser("bundle", help="all results in one file that somebody else can verify")
    bundle.add_argument("--out", type=Path, default=Path("bundle.zip"), metavar="FILE.zip", help="default: %(default)s")
    bundle.add_argument(
        "--adapters",
        choices=("files", "digests"),
        default="files",
        help="whether the adapters come along (default: %(default)s)",
    )
    add_study(bundle, every=True)
    add_multirun(bundle)
    bundle.set_defaults(action=write_bundle, points=None)
    check = commands.add_parser("verify", help="check a bundle: digests, what was made from what, scores, tables")
    check.add_argument("file", type=Path, metavar="FILE.zip|FOLDER", help="a bundle, or the folder it was unpacked to")
    check.add_argument(
        "--again", type=_share, default=0.0, metavar="2%", help="ask this share of the answers anew, and compare them"
    )
    check.add_argument("--model", metavar="FOLDER", help="where the base model lies here, for --again")
    check.set_defaults(action=check_bundle)
    export = commands.add_parser("export", help="all answers for other tools: logs for inspect view, or a hub data set")
    export.add_argument("form", choices=("inspect", "hub"))
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    add_study(export, every=False)
    add_multirun(export)
    export.set_defaults(action=export_answers)


def _share(text: str) -> float:
    """2%, 2 % and .02 are the same share."""
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no share of the answers; write 2% or 0.02")
    return share


def write_bundle(arguments: argparse.Namespace) -> None:
    """Write the bundle, and say how it is verified."""
    from leakage.handing_on.bundle import bundle

    chosen = chosen_studies(arguments)
    with waiting("bundling results"):
        made = bundle(existing(arguments.multirun), chosen, arguments.out, adapters=arguments.adapters)
    print(f"{made.path}: {made.records} records, {made.size / 2**20:.1f} MiB, digest {made.index.digest}")
    print(f"verify it: python -m leakage verify {quote(str(made.path))} --again 2%")


def check_bundle(arguments: argparse.Namespace) -> None:
    """Print a sentence for everything that is wrong; an error where there is any."""
    from leakage.handing_on.archive import opened
    from leakage.handing_on.index import read_index
    from leakage.handing_on.verify import verify

    logging.getLogger("leakage.studies").setLevel(logging.ERROR)  # how to mend one's own results helps nobody here
    with opened(arguments.file) as folder:
        index = read_index(folder, arguments.file)
        remarks = list(verify(folder, index))
        again = _ask_again(arguments, folder, index)
    remarks += again.remarks
    for remark in sorted(remarks, key=lambda one: one.is_wrong):
        print(f"{'WRONG' if remark.is_wrong else 'not checked'}: {remark}")
    if wrong := sum(remark.is_wrong for remark in remarks):
        many = "1 thing is" if wrong == 1 else f"{wrong} things are"
        raise StoreError(f"{arguments.file} does not hold what it says: {many} wrong, see above; ask whoever made it")
    said = f", and {again.answers:,} answers asked anew are the same word for word" if again.answers else ""
    print(f"{arguments.file}: {len(index.files)} files agree with each other{said}")
    print(f"digest {index.digest}: is it the one that whoever published the results tells?")


def _ask_again(arguments: argparse.Namespace, folder: Path, index: "Index") -> "Again":
    """What --again asks for; the draw follows from the bundle, so that nobody can choose what is asked."""
    from leakage.cli.register import compose
    from leakage.handing_on.verify import ask_again
    from leakage.studies.checking import Again, Sample

    if not arguments.again:
        return Again()
    sample = Sample(arguments.again, index.digest, arguments.model)
    return ask_again(folder, sample, {study.name: partial(compose, config_name=study.config) for study in studies()})


def export_answers(arguments: argparse.Namespace) -> None:
    """Write the answers of a study in the form asked for, and say how they are opened."""
    from leakage.handing_on.hub import write_hub
    from leakage.handing_on.inspect_log import write_logs

    study, folder = study_named(arguments.study), arguments.out
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is there and not empty; name a new folder with --out")
    with waiting("exporting answers"):
        sets = list(study.answer_sets(existing(arguments.multirun)))
        if not sets:
            raise StoreError(f"no finished {study.one} below {arguments.multirun}; run one first: {study.first}")
        (write_logs if arguments.form == "inspect" else write_hub)(sets, folder)
    print(f"{folder}: {sum(len(one.frame) for one in sets):,} answers in {len(sets)} sets")
    place = quote(str(folder))
    print(
        f"inspect view --log-dir {place}"
        if arguments.form == "inspect"
        else f"hf upload NAME {place} --repo-type dataset"
    )
