"""Zip files that are the same, byte for byte, when their content is; opened without trust in what they hold."""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from leakage.errors import StoreError
from leakage.store.files import replacing

Content = Mapping[str, Path | bytes]  # what a file inside is called -> where it lies, or what it says
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day a zip file knows
PACKED = {".parquet", ".safetensors"}  # to compress these takes time and gains nothing


def write_zip(path: Path, content: Content) -> None:
    """Write a zip file atomically, names sorted, every time the same."""
    with replacing(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in PACKED else zipfile.ZIP_DEFLATED
            value = content[name]
            with archive.open(entry, "w", force_zip64=True) as stream:
                stream.write(value if isinstance(value, bytes) else value.read_bytes())


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of a bundle: itself, or a temporary one that a zip file is unpacked into."""
    if path.is_dir():
        yield path
        return
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        cause = getattr(error, "strerror", None) or "it is no zip file, or a part of one"
        raise StoreError(
            f"cannot open {path}: {cause}; copy it again, or name the folder it was unpacked to"
        ) from error
    with archive, tempfile.TemporaryDirectory(prefix="leakage-") as folder:
        _unpack(archive, Path(folder), path)
        yield Path(folder)


def _unpack(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    names = archive.namelist()
    if wrong := [name for name in names if _leaves(name)] or [name for name in names if names.count(name) > 1]:
        raise StoreError(f"{path} holds '{wrong[0]}', as no bundle does; nothing was unpacked; ask for another copy")
    try:
        archive.extractall(folder)
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise StoreError(f"cannot unpack {path}: {error}; copy it again") from error


def _leaves(name: str) -> bool:
    """Whether a name means a place outside the folder it is unpacked to."""
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name
