"""Results in one file: records, plans, replies of judges, tables with tolerances, and an index of it all."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakage.errors import StoreError
from leakage.handing_on.archive import write_zip
from leakage.handing_on.expected import tables
from leakage.handing_on.index import EXPECTED, INDEX, RESULTS, Adapters, Index
from leakage.handing_on.readme import readme
from leakage.store import plans
from leakage.store.artifact import Part
from leakage.store.files import canonical, file_digest
from leakage.store.find import find
from leakage.store.manifest import MANIFEST
from leakage.store.provenance import git_state, package_versions
from leakage.store.record import Status
from leakage.studies.study import Study

REPLIES = "replies"
INSIDE_ADAPTER = ("adapter/", "along/")  # as it is in the end, and on its way


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written. records: how many it holds; size: bytes."""

    path: Path
    index: Index
    records: int
    size: int


def bundle(multirun: Path, studies: Sequence[Study], out: Path, *, adapters: Adapters) -> Bundled:
    """Write everything that is finished below a folder into one zip file; the same results give the same bytes."""
    parts = [Part(one.folder, one.manifest) for one in find(multirun) if one.status is Status.DONE and one.manifest]
    if not any(part.manifest.kind in study.kinds for part in parts for study in studies):
        names = " or ".join(study.name for study in studies)
        raise StoreError(f"no finished result of study {names} below {multirun}; run one first: {studies[0].first}")
    content: dict[str, Path | bytes] = dict(_files(multirun, parts, adapters))
    content[EXPECTED] = _json({study.name: tables(study, study.read(multirun)) for study in studies})
    content["environment.json"] = _json(_environment(parts))
    content["README.md"] = readme(studies, len(parts), adapters).encode()
    index = Index(
        studies=tuple(study.name for study in studies),
        adapters=adapters,
        files={name: _digest(content[name]) for name in sorted(content)},
        left_out=dict(_left_out(multirun, parts, adapters)),
    )
    write_zip(out, content | {INDEX: _json(index.model_dump(mode="json"))})
    return Bundled(out, index, len(parts), out.stat().st_size)


def _files(multirun: Path, parts: Iterable[Part], adapters: Adapters) -> Iterator[tuple[str, Path]]:
    """Manifests and what they vouch for, plans, and every reply of a model that was asked; by their names inside."""
    for part in parts:
        yield _inside(multirun, part.folder / MANIFEST), part.folder / MANIFEST
        for name in part.manifest.files:
            if adapters == "files" or not name.startswith(INSIDE_ADAPTER):
                yield _inside(multirun, part.folder / name), part.folder / name
    for file in (*multirun.glob(f"{plans.FOLDER}/*.json"), *multirun.glob(f"{REPLIES}/[!.]*/*.jsonl")):
        yield _inside(multirun, file), file


def _left_out(multirun: Path, parts: Iterable[Part], adapters: Adapters) -> Iterator[tuple[str, str]]:
    for part in parts if adapters == "digests" else ():
        for name, entry in part.manifest.files.items():
            if name.startswith(INSIDE_ADAPTER):
                yield _inside(multirun, part.folder / name), entry.sha256


def _inside(multirun: Path, file: Path) -> str:
    return f"{RESULTS}/{file.relative_to(multirun).as_posix()}"


def _environment(parts: Iterable[Part]) -> dict[str, Any]:
    """Code, packages and Python: of the program that bundles, and of those that made the records."""
    made = [{name: part.manifest.provenance.get(name) for name in ("git", "packages", "python")} for part in parts]
    kinds = sorted({canonical(one) for one in made})
    return {
        "bundled_with": {"git": dict(git_state()), "packages": dict(package_versions())},
        "made_with": [{**json.loads(kind), "records": sum(canonical(one) == kind for one in made)} for kind in kinds],
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _digest(value: Path | bytes) -> str:
    return file_digest(value) if isinstance(value, Path) else hashlib.sha256(value).hexdigest()
