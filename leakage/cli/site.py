"""`site`: the settings of one SLURM site."""

import argparse

from leakage.jobs.launch.site import Site, write_site


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `site`."""
    command = commands.add_parser("site", help="write the settings of a SLURM site to conf/local/default.yaml")
    command.add_argument("site", help="slurm_h200")
    for name, text in (
        ("model", "default model of this site (qwen2.5-7b-instruct)"), ("partition", "SLURM's default where not given"),
        ("account", "to whom the time is charged"), ("setup", "a shell line before a job starts"),
    ):  # fmt: skip
        command.add_argument(f"--{name}", help=text)
    for name, usual in (("minutes", 240), ("cpus", 8), ("memory-gb", 64)):
        command.add_argument(f"--{name}", type=int, default=usual, help="of a job (default: %(default)s)")
    command.set_defaults(action=make_site)


def make_site(arguments: argparse.Namespace) -> None:
    """Write the site's settings and say what they change."""
    names = {name: getattr(arguments, name) or None for name in ("model", "partition", "account", "setup")}
    file = write_site(arguments.site, Site(arguments.minutes, arguments.cpus, arguments.memory_gb or None, **names))
    print(f"{file.read_text()}\nwritten to {file}; from now on `python run.py -m …` runs there")
