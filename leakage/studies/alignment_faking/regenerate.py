"""Why transcripts are not asked anew when somebody checks results."""

from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.artifact import Part
from leakage.studies.checking import Again, Sample, unchecked

if TYPE_CHECKING:
    from leakage.studies.study import Compose


def regenerate(part: Part, multirun: Path, sample: Sample, compose: "Compose") -> Again:  # noqa: ARG001
    """One remark on each set of transcripts: what a subject behind an API said cannot be had again."""
    if part.manifest.kind != "transcripts":
        return Again()
    where = part.folder.relative_to(multirun.parent).as_posix()
    return Again(
        0, (unchecked(where, "replies of trials are not asked anew", "that the subject gave them is not shown"),)
    )
