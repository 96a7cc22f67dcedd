"""`validate`: the judge of alignment-faking reasoning against labels that people gave."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from leakage.cli.arguments import MULTIRUN, add_multirun
from leakage.settings.overrides import override

log = logging.getLogger(__name__)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Tell the command line of `validate`."""
    command = commands.add_parser(
        "validate", help="the judge of alignment-faking reasoning on your labelled file: AUROC by votes"
    )
    command.add_argument(
        "file", type=Path, metavar="FILE.jsonl", help='{"scratchpad": "…", "label": true} or false, one a line'
    )
    command.add_argument(
        "overrides", nargs="*", default=[], metavar="judge.max_usd=20", help="judge=…, judge.model=…, reasoning.votes=…"
    )
    add_multirun(command)
    command.add_argument("--format", choices=("rich", "md", "csv"), default="rich", help="default: %(default)s")
    command.set_defaults(action=show_validation)


def show_validation(given: argparse.Namespace) -> None:
    """Let the judge vote, and print AUROC for every number of votes; in words on stderr beside csv and md."""
    from leakage.analysis.printing import as_csv, as_markdown, print_rich, readable
    from leakage.cli.register import compose
    from leakage.studies.alignment_faking.settings import FakingConfig
    from leakage.studies.alignment_faking.validation import validate

    where = [override("paths.multirun", given.multirun)] if given.multirun != MULTIRUN else []
    config = compose([*_judged(given.overrides), *where], "faking")
    assert isinstance(config, FakingConfig)
    found = validate(given.file, config)
    words = found.in_words()
    if given.format == "rich":
        print_rich(readable(found.table))
        print(words)
    else:
        print(as_csv(found.table) if given.format == "csv" else as_markdown(found.table), end="")
        log.info(words)


def _judged(overrides: Sequence[str]) -> list[str]:
    """A model is the judge unless another is named: labels are of other transcripts than the embedded model's."""
    named = any(one.startswith(("judge=", "judge.name=")) for one in overrides)
    return [*overrides] if named else ["judge=faking", "judge.name=claude", *overrides]
