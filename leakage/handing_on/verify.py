"""Somebody's bundle, checked: digests, what was made from what, scores and tables computed again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leakage.handing_on.chain import altered_files, parts_of, unborne
from leakage.handing_on.expected import differences, tables
from leakage.handing_on.index import EXPECTED, RESULTS, Index
from leakage.progress import progress
from leakage.store.artifact import Part
from leakage.studies.checking import Again, Remark, Sample
from leakage.studies.registry import studies, study_named
from leakage.studies.study import Compose, Study


@dataclass(frozen=True)
class Opened:
    """A bundle that is unpacked: its folder, its index, its records."""

    folder: Path
    index: Index
    parts: list[Part]

    @property
    def results(self) -> Path:
        """What is laid out as paths.multirun."""
        return self.folder / RESULTS

    @property
    def studies(self) -> list[Study]:
        """Whose results it holds."""
        return [study_named(name) for name in self.index.studies]


def verify(folder: Path, index: Index) -> Iterator[Remark]:
    """Everything that is wrong with an unpacked bundle, and what of it could not be checked; no model is asked."""
    yield from altered_files(folder, index)
    parts, unreadable = parts_of(folder)
    yield from unreadable
    bundle = Opened(folder, index, parts)
    with progress(len(parts), "checking", "record") as advance:
        for part in parts:
            yield from unborne(folder, part, index)
            yield from _recomputed(bundle, part)
            advance(1)
    for study in bundle.studies:
        yield from _other_tables(bundle, study)


def ask_again(folder: Path, sample: Sample, composers: Mapping[str, Compose]) -> Again:
    """A sampled share of every record's answers, asked anew. composers: from overrides to settings, by study."""
    parts, _ = parts_of(folder)
    answers = 0
    remarks: list[Remark] = []
    with progress(len(parts), "asking again", "record") as advance:
        for part in parts:
            for study in studies():
                again = study.regenerate(part, folder / RESULTS, sample, composers[study.name])
                answers += again.answers
                remarks += again.remarks
            advance(1)
    return Again(answers, tuple(remarks))


def _recomputed(bundle: Opened, part: Part) -> Iterator[Remark]:
    """What of a record does not follow from what it was made from; a file nobody can read is one remark."""
    for study in studies():  # an adapter of one may have been asked by another
        try:
            yield from study.recompute(part, bundle.results)
        except Exception as error:  # whatever an edited file makes of a reader is a remark, never the end
            where = part.folder.relative_to(bundle.folder).as_posix()
            cause = str(error).replace(f"{bundle.folder}/", "")
            yield Remark(where, f"it cannot be read ({cause})", "a file in it was edited or is missing")


def _other_tables(bundle: Opened, study: Study) -> Iterator[Remark]:
    """The first number of each table that is another one than the bundle promises."""
    name = f"{EXPECTED}, study {study.name}"
    try:
        promised = json.loads((bundle.folder / EXPECTED).read_text())[study.name]
        now = tables(study, study.read(bundle.results))
    except Exception as error:  # as above
        yield Remark(name, f"the tables cannot be computed again ({error})", "a file was edited or is missing")
        return
    for view in dict.fromkeys([*promised, *now]):
        if view not in promised or view not in now:
            means = "the program that made the bundle has other tables than this one" if view in now else "see there"
            yield Remark(name, f"there is no table {view} to compare", means, is_wrong=view not in now)
            continue
        for difference in differences(view, promised[view], now[view]):
            yield Remark(name, difference, "the table or what it is made of was edited")
