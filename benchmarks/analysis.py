"""How long reading many cells takes: python benchmarks/analysis.py MULTIRUN [CELLS].

The finished cells of a folder stand for many: each is linked again under further seeds until there are CELLS
(default 1000).
"""

import json
import os
import shutil
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from leakage.store.find import find
from leakage.studies.persona_leakage.results import results
from leakage.studies.registry import studies

NOT_COPIED = shutil.ignore_patterns(".verified.json", ".claim*", ".hydra", "*.log", "figures", "report", ".plans")


def main(multirun: Path, wanted: int) -> None:
    """Print seconds for the frame and for every table."""
    with TemporaryDirectory(dir=multirun.parent) as folder:  # links need the same disk
        multiply(multirun, Path(folder) / "many", wanted)
        frame, seconds = timed(lambda: results(Path(folder) / "many"))
    print(f"frame     {len(frame):7} rows  {seconds:5.1f} s")
    whole = 0.0
    for name, view in studies()[0].views.items():
        table, seconds = timed(lambda: view.make(frame))  # noqa: B023  # called before the next turn
        whole += seconds
        print(f"{name:10}{len(table):6} rows  {seconds:5.1f} s")
    print(f"all tables {whole:17.1f} s; torch loaded: {'torch' in sys.modules}")


def multiply(source: Path, target: Path, wanted: int) -> None:
    """Copy a folder of results by links, and every adapter of it under further seeds."""
    shutil.copytree(source, target, copy_function=os.link, ignore=NOT_COPIED)
    manifests = [found.manifest for found in find(target) if found.manifest]
    cells = sum(one.kind == "scores" and "baseline" in one.facts for one in manifests)
    if not cells:
        sys.exit(f"error: no finished cell below {source}; run one first: python run.py")
    adapters = [found.folder for found in find(target) if found.manifest and found.manifest.kind == "adapter"]
    for seed in count(1000):
        for adapter in adapters:
            if cells >= wanted:
                return
            cells += again(adapter, seed)


def again(adapter: Path, seed: int) -> int:
    """Link one adapter with its evaluations under another seed; how many cells that makes."""
    train_id = f"{seed:08x}"
    copied = adapter.with_name(f"seed{seed}-{train_id}")
    shutil.copytree(adapter, copied, copy_function=os.link)
    scores = 0
    for path in copied.rglob("manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["facts"] |= {"seed": seed, "train_id": train_id}
        path.unlink()  # the link, not what it shares with the original
        path.write_text(json.dumps(manifest))
        scores += manifest["kind"] == "scores"
    return scores


def timed(job):
    """What a job returns, and its seconds."""
    started = perf_counter()
    return job(), perf_counter() - started


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
