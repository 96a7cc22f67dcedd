"""The settings of one site: a file that git does not see, after which the bare command runs there."""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from leakage.errors import ConfigError, nearest
from leakage.store.files import write_text

CONF = Path(__file__).parents[3] / "conf"
SITES = {"slurm_h200": "qwen2.5-7b-instruct"}  # launchers of conf/hydra/launcher that need settings, and their model
TEXT = """# @package _global_
# Written by `make site SITE={site}`; yours to edit, and git does not see it. Without this file the same commands run
# the embedded model on this machine.
defaults:
  - override /model: {model}
  - override /hydra/launcher: {site}

site:
  partition: {partition}
  account: {account}
  minutes: {minutes} # a cell that needs longer goes back into the queue and on from where it was
  cpus: {cpus}
  memory_gb: {memory_gb}
  setup: {setup} # shell lines before a job starts
"""


@dataclass(frozen=True)
class Site:
    """What a job needs to be told there; None leaves it to the cluster, or to the site's usual model."""

    minutes: int
    cpus: int
    memory_gb: int | None
    model: str | None = None
    partition: str | None = None
    account: str | None = None
    setup: str | None = None


def write_site(name: str, site: Site) -> Path:
    """Write conf/local/default.yaml; one that is there is kept."""
    if name not in SITES:
        raise ConfigError(f"no site '{name}'; give SITE={' or SITE='.join(SITES)}")
    if site.minutes < 5:
        raise ConfigError(f"minutes={site.minutes}: a job is given two minutes to save, so give it at least 5")
    models = sorted(path.stem for path in CONF.glob("model/*.yaml"))
    if site.model is not None and site.model not in models:
        raise ConfigError(f"unknown model '{site.model}'{nearest(site.model, models)}; there are {', '.join(models)}")
    file = CONF / "local" / "default.yaml"
    if file.exists():
        raise ConfigError(f"{file} is there already; edit it, or move it away and start again")
    filled = asdict(site) | {
        "partition": _yaml(site.partition or _default_partition()),
        "account": _yaml(site.account),
        "memory_gb": _yaml(site.memory_gb),
        "setup": _yaml([site.setup] if site.setup else []),
        "model": site.model or SITES[name],
    }
    write_text(file, TEXT.format(site=name, **filled))
    return file


def _yaml(value: object) -> str:
    """A value in YAML's flow style, which JSON is."""
    return json.dumps(value, ensure_ascii=False)


def _default_partition() -> str | None:
    """The partition that SLURM itself marks as its default; None where nobody can tell."""
    try:
        done = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next((name.rstrip("*") for name in done.stdout.split() if name.endswith("*")), None)
