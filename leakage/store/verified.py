"""Digests already taken: a file that nobody has touched since is not read again.

A folder of a thousand finished cells holds gigabytes, and its status must not take minutes.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from time import time_ns

from leakage.store.files import file_digest

NAME = ".verified.json"
_RACY_NS = 2 * 10**9  # a file this young may change again within one tick of the disk's clock


class Verified:
    """The digests of a folder's files, with size, inode and time of change when each was taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known = self._read()
        self._changed = False

    def _read(self) -> dict[str, list[int | str]]:
        try:
            known = json.loads((self.folder / NAME).read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def size_and_digest(self, name: str, *, expected: int) -> tuple[int, str]:
        """Size and sha256 of a file; one of another size than expected is not read at all."""
        stat = (self.folder / name).stat()
        if stat.st_size != expected:
            return stat.st_size, ""
        stamp = [stat.st_size, stat.st_ino, stat.st_ctime_ns]
        known = self._known.get(name, [])
        if known[:-1] == stamp:
            return stat.st_size, str(known[-1])
        digest = file_digest(self.folder / name)
        if time_ns() - stat.st_ctime_ns > _RACY_NS:
            self._known[name] = [*stamp, digest]
            self._changed = True
        return stat.st_size, digest

    def save(self) -> None:
        """Keep what was newly taken, for the next who asks; where nothing can be written, it is read again."""
        if not self._changed:
            return
        draft = self.folder / f"{NAME}.{os.getpid()}"
        try:
            draft.write_text(json.dumps(self._known))
            draft.replace(self.folder / NAME)
        except OSError:
            with suppress(OSError):
                draft.unlink()
