"""`python -m leakage COMMAND`: look at results; loads no torch."""

import argparse
import logging

from leakage.cli import card, check, draw, fetch, handing_on, importing, rejudge, site, status, table, validate
from leakage.cli.errors import guarded


class Plain(logging.Formatter):
    """Progress as it is, warnings as such."""

    def format(self, record: logging.LogRecord) -> str:
        """The message alone, after its level from warnings on."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return level + super().format(record)


def main() -> None:
    """Parse the command line and do what it asks."""
    parser = argparse.ArgumentParser(prog="python -m leakage", description=__doc__)
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="table|figures|report|card|status|rejudge|agreement|validate|import|bundle|verify|export|check|fetch|site",
    )
    for module in (table, draw, card, status, rejudge, validate, importing, handing_on, check, fetch, site):
        module.add(commands)
    arguments, more = parser.parse_known_args()  # settings may stand anywhere among the flags
    takes_settings = hasattr(arguments, "overrides")
    if wrong := [one for one in more if not takes_settings or one.startswith("-") or "=" not in one]:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    if takes_settings:
        arguments.overrides += more
    said = logging.StreamHandler()
    said.setFormatter(Plain())
    logging.basicConfig(level=logging.INFO, handlers=[said])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request would bury ours
    arguments.action(arguments)


if __name__ == "__main__":
    guarded(main)
