"""Whether a disk has room: what can be known of it without taking any."""

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

PROBE = 2**20  # bytes written to meet a quota that is used up
FULL = {errno.ENOSPC, errno.EDQUOT}
KIBIBYTES = re.compile(r"(?<!\S)(\d+)\*?\s+(\d+)\s+(\d+)(?!\S)")  # used, soft and hard limit of `quota` and `lfs quota`


def lacking(folder: Path, needed: int) -> str:
    """Why so many bytes cannot be written below a folder; "" where nothing is known against it.

    The file system tells what is free: nearly always the disk's, on some also what a quota of the folder leaves. A
    quota of the user or the group is told by `quota` and by Lustre's `lfs`, where they are installed. Whatever else
    forbids to write (a quota that nobody tells, no inode left) is met by writing one MiB in a file without a name,
    which is gone with this process however it ends. What is needed is never taken to try: so a quota that nobody tells
    is seen only once it is used up, and what others write in the meantime is not seen at all.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        return f"{as_text(free)} are free"
    left = min(_quotas(folder), default=needed)
    if needed > left:
        return f"your quota leaves {as_text(left)}"
    return _refused(folder, min(needed, PROBE))


def as_text(size: float) -> str:
    """Bytes, for a reader."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**28 else f"{size / 2**20:.1f} MiB"


def _refused(folder: Path, size: int) -> str:
    """Why not even so little can be written; other causes than a lack of room are not told here."""
    try:
        with TemporaryFile(dir=folder, buffering=0) as draft:
            draft.write(os.urandom(size))  # what could be compressed would take no room
            os.fsync(draft.fileno())  # some network disks look at a quota only now
    except OSError as error:
        return os.strerror(error.errno) if error.errno in FULL else ""
    return ""


def _quotas(folder: Path) -> Iterator[int]:
    """Bytes that each quota of this user, and of the group, still leaves on a folder's disk, where they are told."""
    mount = folder.resolve()
    while not mount.is_mount():
        mount = mount.parent
    for kind, id in (("-u", os.getuid()), ("-g", os.getgid())):
        for command in (
            ["quota", "-w", kind, f"--filesystem={mount}"],
            ["lfs", "quota", "-q", kind, str(id), str(mount)],
        ):
            if row := KIBIBYTES.search(_said(command)):
                used, soft, hard = (int(number) * 1024 for number in row.groups())
                if limit := hard or soft:  # 0 = none; above the soft one there is a time of grace
                    yield max(0, limit - used)


def _said(command: list[str]) -> str:
    """What a program prints, whatever its exit status: `quota` has one for a quota that is exceeded."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, env=os.environ | {"LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
