"""`bundle`: results for somebody else."""

import argparse
from pathlib import Path
from shlex import quote

from leakage.cli.arguments import add_multirun, add_study, chosen_studies, existing
from leakage.progress import waiting


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `bundle`."""
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


def write_bundle(arguments: argparse.Namespace) -> None:
    """Write the bundle, and say how it is verified."""
    from leakage.handing_on.bundle import bundle

    studies = chosen_studies(arguments)
    with waiting("bundling results"):
        made = bundle(existing(arguments.multirun), studies, arguments.out, adapters=arguments.adapters)
    print(f"{made.path}: {made.records} records, {made.size / 2**20:.1f} MiB, digest {made.index.digest}")
    print(f"verify it: python -m leakage verify {quote(str(made.path))} --again 2%")
