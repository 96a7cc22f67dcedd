"""A bundle in the hands of somebody who knows how it is made, and what can be done to it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leakage.handing_on.index import read_index
from leakage.handing_on.verify import ask_again, verify
from leakage.store.files import file_digest
from leakage.store.manifest import file_entry
from leakage.studies.checking import Sample
from leakage.studies.registry import studies


@dataclass(frozen=True)
class Tampering:
    """A copy of a bundle in the hands of somebody who knows how it is made."""

    folder: Path

    @property
    def results(self):
        return self.folder / "results"

    def record(self, kind, source="villain"):
        """The folder of the one record of a kind, of one source where there are several."""
        folders = [file.parent for file in sorted(self.results.rglob("manifest.json"))]
        fits = [one for one in folders if json.loads((one / "manifest.json").read_text())["kind"] == kind]
        return next((one for one in fits if source in one.parts), fits[0])

    def edit_json(self, file, change):
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))
        self.index_again()

    def edit_manifest(self, kind, change):
        self.edit_json(self.record(kind) / "manifest.json", change)

    def edit_frame(self, kind, name, change, *, links=True):
        """Change a table, and with it every digest that would tell; links: also in what was made from it."""
        file = self.record(kind) / name
        frame = pd.read_parquet(file)
        change(frame)
        frame.to_parquet(file, index=False)
        self.vouch(file, links=links)

    def vouch(self, file, *, links):
        folder = self.record_of(file)
        name, entry = file.relative_to(folder).as_posix(), file_entry(file).model_dump()
        before = json.loads((folder / "manifest.json").read_text())["files"][name]["sha256"]
        self.edit_json(folder / "manifest.json", lambda manifest: manifest["files"].update({name: entry}))
        for other in self.results.rglob("manifest.json") if links else ():
            other.write_text(other.read_text().replace(before, entry["sha256"]))
        self.index_again()

    def record_of(self, file):
        return next(folder for folder in file.parents if (folder / "manifest.json").is_file())

    def index_again(self):
        index = json.loads((self.folder / "bundle.json").read_text())
        inside = (
            path
            for path in self.folder.rglob("*")
            if path.is_file() and path.name not in {"bundle.json", ".verified.json"}
        )
        index["files"] = {path.relative_to(self.folder).as_posix(): file_digest(path) for path in inside}
        (self.folder / "bundle.json").write_text(json.dumps(index))

    def wrong(self):
        return [str(one) for one in verify(self.folder, read_index(self.folder)) if one.is_wrong]


def put(column, value, place=0):
    """A change of one value of a table."""

    def change(frame):
        frame[column] = [value if i == place else old for i, old in enumerate(frame[column])]

    return change


def facts(**values):
    return lambda manifest: manifest["facts"].update(values)


def asked_again(own, share=1.0, model=None):
    from tests.conftest import composed

    composers = {study.name: lambda _, name=study.config: composed(study=name) for study in studies()}
    return ask_again(own.folder, Sample(share, "seed", model), composers)
