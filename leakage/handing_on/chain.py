"""Whether a bundle's files, manifests and records bear each other out: digests, ids and inputs."""

import os
from collections.abc import Iterator
from pathlib import Path

from leakage.handing_on.index import INDEX, RESULTS, Index
from leakage.store.artifact import Part
from leakage.store.files import digest, file_digest
from leakage.store.find import record_folders
from leakage.store.manifest import InputEntry
from leakage.store.record import Record
from leakage.studies.checking import Remark, unchecked

OTHER_FILE = "it is not the file that was bundled"
NOTES = (".verified.json",)  # what reading results leaves beside them


def altered_files(folder: Path, index: Index) -> Iterator[Remark]:
    """Files that are missing, were added, or are others than the index says."""
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name not in NOTES
    } - {INDEX}
    for name in sorted(index.files.keys() - present):
        yield Remark(name, "the file is missing", "it was removed after the bundle was made")
    for name in sorted(present - index.files.keys()):
        yield Remark(name, "the file is not in the index", "it was added after the bundle was made")
    for name in sorted(present & index.files.keys()):
        if file_digest(folder / name) != index.files[name]:
            yield Remark(name, OTHER_FILE, "it was changed after the bundle was made")


def parts_of(folder: Path) -> tuple[list[Part], list[Remark]]:
    """The records of a bundle, damaged or not, and what is to be said of those without a manifest that can be read."""
    parts, remarks = [], []
    for one in sorted(record_folders(folder / RESULTS)):
        manifest = Record(one).manifest
        if manifest:
            parts.append(Part(one, manifest))
        else:
            where = one.relative_to(folder).as_posix()
            remarks.append(Remark(where, "its manifest cannot be read", "nothing vouches for what is in it"))
    return parts, remarks


def unborne(folder: Path, part: Part, index: Index) -> Iterator[Remark]:
    """What a record's manifest says that its files, its name or the records it was made from do not bear out."""
    where = part.folder.relative_to(folder)
    for name, entry in part.manifest.files.items():
        inside, file = (where / name).as_posix(), part.folder / name
        sha256 = file_digest(file) if file.is_file() else index.left_out.get(inside, "")
        if not sha256:
            yield Remark(inside, "its record's manifest names it and it is not there", "the record is not whole")
        elif sha256 != entry.sha256:
            yield Remark(inside, "it is not the file of which its record's manifest tells", "one of the two was edited")
    named = part.folder.name.rpartition("-")[2]
    if not part.manifest.id == named == digest(part.manifest.identity)[: len(named)]:
        means = "a setting in it was edited, or the record was renamed"
        yield Remark((where / "manifest.json").as_posix(), "its identity does not give the id of its folder", means)
    for one in part.manifest.inputs or ():
        yield from _unlinked(folder, part, one)


def _unlinked(folder: Path, part: Part, entry: InputEntry) -> Iterator[Remark]:
    where = part.folder.relative_to(folder).as_posix()
    origin = Path(os.path.normpath(part.folder / entry.folder))
    if not origin.is_relative_to(folder) or not (origin / "manifest.json").is_file():
        yield unchecked(where, f"what it was made from, {entry.folder}, is not in the bundle", "that cannot be checked")
    elif Record(origin).digest_of(entry.file) != entry.sha256:
        what = f"it was made from another {entry.file} than that of {origin.relative_to(folder).as_posix()}"
        yield Remark(where, what, "the one or the other was put in its place")
