"""The README inside a bundle."""

from collections.abc import Sequence

from leakage.handing_on.index import Adapters
from leakage.studies.study import Study

TEXT = """# Results that can be checked

{records} finished records of {studies}.

- `results/`: every record with its manifest: settings, training examples, completions, verdicts, scores, geometry;
  plans (`.plans/`); replies of judges behind an API (`replies/`), where there are any. {adapters}
- `expected.json`: every table as numbers, with a tolerance for each column, as a part of the number.
- `environment.json`: code and packages that made the records. `bundle.json`: the sha256 of every file.

To check it, install leakage, then: `python -m leakage verify THIS_FILE.zip --again 2%`.
The digest it prints at the end is this bundle's name: ask whoever published the results for theirs.
To look at the results, unpack the file: `python -m leakage table --multirun results`, and `figures`, and `report`.
"""


def readme(studies: Sequence[Study], records: int, adapters: Adapters) -> str:
    """What is in a bundle, and how to verify it."""
    with_adapters = "The adapters are in it." if adapters == "files" else "Of adapters only their digests are in it."
    names = " and ".join(f"study {study.name}" for study in studies)
    return TEXT.format(records=records, studies=names, adapters=with_adapters)
