"""How the time to sample answers grows: python -m benchmarks.growth [--model nano] [--repeats 5].

Personas, questions, samples and the length of an answer are doubled one at a time; this project's engine alone.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contenders.starting import Contender
from benchmarks.engines import parser, task_of, together

DOUBLED = ("personas", "questions", "samples", "length")


def main() -> None:
    """Print seconds at the usual size, and how many times as long twice of each takes."""
    asked = parser().parse_args()
    usual = seconds(asked)
    print(f"{', '.join(f'{getattr(asked, name)} {name}' for name in DOUBLED)}: {usual:.2f} s")
    for name in DOUBLED:
        more = argparse.Namespace(**{**vars(asked), name: 2 * getattr(asked, name)})
        print(f"twice the {name:10} {seconds(more) / usual:5.2f} x as long", flush=True)


def seconds(asked: argparse.Namespace) -> float:
    """The least of the repeats."""
    with TemporaryDirectory() as folder:
        ((_, runs),) = together([Contender("ours", "ours")], task_of("generate", asked), Path(folder), asked.repeats)
    return min(float(run["seconds"]) for run in runs)


if __name__ == "__main__":
    main()
