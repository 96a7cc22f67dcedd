"""`bundle` and `verify`: results for somebody else, and of somebody else."""

import argparse
import logging
from pathlib import Path
from shlex import quote

from leakage.cli.arguments import add_multirun, add_study, chosen_studies, existing
from leakage.errors import StoreError
from leakage.progress import waiting


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `bundle` and `verify`."""
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
    check.set_defaults(action=check_bundle)


def write_bundle(arguments: argparse.Namespace) -> None:
    """Write the bundle, and say how it is verified."""
    from leakage.handing_on.bundle import bundle

    studies = chosen_studies(arguments)
    with waiting("bundling results"):
        made = bundle(existing(arguments.multirun), studies, arguments.out, adapters=arguments.adapters)
    print(f"{made.path}: {made.records} records, {made.size / 2**20:.1f} MiB, digest {made.index.digest}")
    print(f"verify it: python -m leakage verify {quote(str(made.path))} --again 2%")


def check_bundle(arguments: argparse.Namespace) -> None:
    """Print a sentence for everything that is wrong; an error where there is any."""
    from leakage.handing_on.archive import opened
    from leakage.handing_on.index import read_index
    from leakage.handing_on.verify import verify

    logging.getLogger("leakage.studies").setLevel(logging.ERROR)  # how to mend one's own results helps nobody here
    with opened(arguments.file) as folder:
        index = read_index(folder)
        remarks = list(verify(folder, index))
    for remark in sorted(remarks, key=lambda one: one.is_wrong):
        print(f"{'WRONG' if remark.is_wrong else 'not checked'}: {remark}")
    wrong = sum(remark.is_wrong for remark in remarks)
    if wrong:
        many = "1 thing is" if wrong == 1 else f"{wrong} things are"
        raise StoreError(f"{arguments.file} does not hold what it says: {many} wrong, see above; ask whoever made it")
    print(f"{arguments.file}: {len(index.files)} files agree with each other; digest {index.digest}")
    print("that nobody has made all of it up follows only from asking who published it for their digest")
