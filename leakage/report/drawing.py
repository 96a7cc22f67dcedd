"""Draw many figures at once, each into a file named after it."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.progress import progress
from leakage.report import style

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from matplotlib.figure import Figure

Drawing = Callable[[], "Figure"]
WORKERS = 4  # each takes some 200 MB
LONG = 80  # characters of a file's name


def draw_all(drawing: dict[str, Drawing], folder: Path) -> Iterator[Path]:
    """Draw and save every figure, by its name; yields the files written."""
    workers = max(1, min(len(drawing), os.cpu_count() or 1, WORKERS))
    written: list[Path] = []
    with progress(len(drawing), "drawing", "figure") as done, ProcessPoolExecutor(workers, initializer=_follow) as pool:
        for paths in pool.map(partial(_save, folder), drawing, drawing.values()):
            written += paths
            done(1)
    yield from written


def _follow() -> None:
    """Leave Ctrl-C to the process that draws with this one's help, and end when it ends, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(leader: BaseProcess) -> None:
    leader.join()
    os._exit(1)


def _save(folder: Path, name: str, draw: Drawing) -> tuple[Path, Path]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name of an outside result may be in any script
        return style.save(draw(), folder, name)


def file_name(name: str) -> str:
    """A figure's name as a file can have it; a digest tells it from others where it had to be changed or cut."""
    plain = re.sub(r"[^\w.=-]+", "_", name)
    if plain == name and len(name) <= LONG:
        return name
    return f"{plain[:LONG]}-{sha256(name.encode()).hexdigest()[:6]}"
