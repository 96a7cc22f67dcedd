"""The index of a bundle: every file with its digest, so that the digest of the index stands for all of it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from leakage.errors import StoreError
from leakage.store.files import digest

INDEX = "bundle.json"
EXPECTED = "expected.json"
RESULTS = "results"  # the folder inside a bundle that is laid out as paths.multirun is
Adapters = Literal["files", "digests"]


class Index(BaseModel):
    """What a bundle holds.

    files: path inside -> sha256; left_out: files of adapters that stayed behind, the same way
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    studies: tuple[str, ...]
    adapters: Adapters
    files: dict[str, str]
    left_out: dict[str, str]

    @property
    def digest(self) -> str:
        """sha256 that changes with any byte of the bundle."""
        return digest(self.model_dump(mode="json"))


def read_index(folder: Path, bundle: Path | None = None) -> Index:
    """The index of an unpacked bundle. bundle: what messages call it, where that is not its folder"""
    file, called = folder / INDEX, bundle or folder
    if not file.is_file():
        raise StoreError(
            f"{called} is no bundle: there is no {INDEX} in it; name one that python -m leakage bundle made"
        )
    try:
        return Index.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{INDEX} in {called} cannot be read as the index of a bundle: it was edited, or a newer version of this "
            "project made it; ask for another copy, or update"
        ) from error
