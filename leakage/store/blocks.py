"""Blocks of a table that takes long to make: each is kept the moment it is whole."""

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.store.files import replacing, unreadable

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


class Blocks:
    """Parquet files in a folder, which goes when the whole table is kept elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> "pd.DataFrame | None":
        """A block that an earlier run has kept; None where there is none, or it is damaged and thus set aside."""
        import pandas as pd

        file = self._file(name)
        try:
            return pd.read_parquet(file) if file.exists() else None
        except PermissionError as error:
            raise unreadable(file, error) from error
        except (OSError, ValueError) as error:
            aside = file.with_name(f"damaged-{file.name}")
            file.replace(aside)
            log.warning("%s cannot be read (%s); kept in %s and made again", file, error, aside)
            return None

    def keep(self, name: str, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Write a block; returned as a later run would read it, lest that one differ."""
        import pandas as pd

        with replacing(self._file(name)) as file:
            frame.to_parquet(file, index=False)
        return pd.read_parquet(self._file(name))

    def drop(self) -> None:
        """Remove the blocks."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"
