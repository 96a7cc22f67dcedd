"""Rows of a data set of the hub, of a copy of its folder, or of one file of its format."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leakage.errors import DataError, nearest

FORMATS = (".parquet", ".jsonl", ".json", ".csv")


@dataclass(frozen=True)
class Source:
    """Where rows are: a hub id, a folder or a file; subset names the folder within, revision is for a hub id.

    setting: what the user set `path` with, and mend: what to do about a lacking column, both for errors
    """

    path: str
    subset: str | None
    split: str
    revision: str | None
    setting: str
    mend: str = "rename the one that is meant"

    def tables(self, *columns: str) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
        """Each file of the split with its rows, if it has the columns."""
        for file in self._files():
            table = load_table(file)
            for column in columns:
                if column not in table.column_names:
                    columns_there = ", ".join(table.column_names) + nearest(column, table.column_names)
                    raise DataError(f"{file} has no column '{column}' (it has {columns_there}); {self.mend}")
            yield file, _rows(file, table)

    def _files(self) -> list[Path]:
        located = Path(self.path).expanduser()
        if located.is_dir():
            return self._split_files(located)
        looks_local = self.path.startswith(("/", "./", "../", "~")) or self.path.count("/") != 1
        looks_local |= located.suffix in FORMATS
        if not (looks_local or located.exists()):
            return self._split_files(self._download())
        if not located.is_file():
            raise DataError(f"there is no {located}; {self.setting} takes a hub id, a copy of its folder or a file")
        if located.suffix not in FORMATS:
            raise DataError(f"{located} is none of {', '.join(FORMATS)}; convert it to one of them")
        return [located]

    def _split_files(self, folder: Path) -> list[Path]:
        """The split's files of one format: a folder may hold the same rows in two."""
        home = folder / self.subset if self.subset and (folder / self.subset).is_dir() else folder
        named = f"{escape(self.split)}[-.]*"
        of_split = sorted(home.glob(named)) or sorted((home / "data").glob(named))  # as the hub's uploads do
        for suffix in FORMATS:
            if files := [file for file in of_split if file.suffix == suffix]:
                return files
        within = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        wanted = f"{self.subset}/{self.split}-*" if self.subset else f"{self.split}-*"
        raise DataError(
            f"{self.path} holds no {wanted}.parquet, .jsonl, .json or .csv; name another subset or path "
            f"(folders there: {', '.join(within) or 'none'}{nearest(self.subset or '', within)})"
        )

    def _download(self) -> Path:
        """The folder in the hub's cache that holds the split's files of just this revision.

        Not through `load_dataset`: where the hub cannot be reached it takes the latest copy it has, of any revision.
        """
        from huggingface_hub import snapshot_download

        wanted = [f"{self.subset}/{self.split}*"] if self.subset else [f"{self.split}*", f"data/{self.split}*"]
        try:
            with _quiet():
                return Path(
                    snapshot_download(self.path, repo_type="dataset", revision=self.revision, allow_patterns=wanted)
                )
        except Exception as error:  # of three libraries, with no common ground
            raise DataError(
                f"{self.path} at revision {self.revision or 'main'} cannot be loaded from the hub and is no file here: "
                f"{_cause(error)}; {self.setting} takes a local file or folder of the same format, too"
            ) from error


def load_table(file: Path) -> Any:
    """One file in memory; what `datasets` writes on the way goes with the temporary folder."""
    from datasets import Dataset

    readers = {".parquet": Dataset.from_parquet, ".csv": Dataset.from_csv}
    read = readers.get(file.suffix, Dataset.from_json)
    try:
        with _quiet(), TemporaryDirectory() as cache:  # no streaming, though it writes less: it imports torch
            pattern = escape(str(file.absolute()))  # a path is taken for a pattern: [x] in it would match x
            return read(pattern, cache_dir=cache, keep_in_memory=True)
    except Exception as error:  # whatever the readers below `datasets` raise
        raise DataError(f"cannot read {file}: {_cause(error)}; copy or convert it again") from error


def _rows(file: Path, table: Any) -> list[dict[str, Any]]:
    """All rows of a table; its texts are decoded only now."""
    try:
        rows: list[dict[str, Any]] = table.to_list()
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8 ({error}); save it in UTF-8") from error
    return rows


def _cause(error: Exception) -> str:
    """The first sentence of what went wrong first: `datasets` and the hub wrap it, and go on for lines."""
    first = str(error.__cause__ or error).strip().split("\n")[0]
    return first.split(". ")[0].rstrip(".:!") or "there is nothing in it"


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no remarks: what matters of them is in our own errors."""
    import datasets
    from huggingface_hub import utils as hub

    libraries: list[Any] = [datasets, hub]
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    shown = [library for library in libraries if not library.are_progress_bars_disabled()]
    for library in shown:
        library.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bars()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
