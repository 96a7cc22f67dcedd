"""The last line of defence: what a user did wrong ends in one sentence and a non-zero exit."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator

from leakage.errors import LeakageError, nearest

INTERRUPTED = 130


def guarded(main: Callable[[], object]) -> None:
    """Call a program's main; exit with 0, or with one sentence on stderr and 1 (130 after Ctrl-C)."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing its own trace
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted: what was finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            traceback.print_exc()
            sentence = f"unexpected {type(error).__name__}: a defect of leakage; please report it with the trace above"
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(1)


def explain(error: BaseException) -> str | None:
    """The sentence for an error a user can mend; None for any other."""
    for one in _chain(error):
        if isinstance(one, LeakageError):
            return str(one)
    for one in _chain(error):
        if type(one).__module__.split(".")[0] in {"hydra", "omegaconf"}:
            return _explain_hydra(one)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}; results go below paths.multirun"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those it was raised from, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _explain_hydra(error: BaseException) -> str:
    """Hydra's and OmegaConf's messages, shortened to what was typed and what would have been right."""
    text = str(error)
    options = getattr(error, "options", None)
    missing = getattr(error, "missing_cfg_file", None)
    if missing and options is not None:
        group, _, name = missing.rpartition("/")
        close = nearest(name, options) or f"; there are: {', '.join(sorted(options))}"
        return f"unknown {group} '{name}'{close} (python run.py --help lists all)"
    if "Ambiguous value for argument" in text:
        argument = text.split("'")[1]
        return f"{argument} gives several values; add -m to run one job for each"
    key = _unknown_key(text)
    if key:
        return f"unknown setting '{key}'{_nearest_setting(key)} (python run.py --cfg job shows the settings)"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    where = next((line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")), None)
    return f"{where}: {lines[0]}" if where else " ".join(lines[:2])


def _unknown_key(text: str) -> str | None:
    """The dotted key that Hydra could not override or that a YAML file made up."""
    found = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '[^']+' (?:is )?not in '", text)
    if found is None:
        return None
    if found.groups():
        return found[1]
    full = re.search(r"full_key: (\S+)", text)
    return full[1] if full else None


def _nearest_setting(key: str) -> str:
    from leakage.config import classified_fields

    settings = list(classified_fields())
    last = key.rpartition(".")[2]
    return nearest(key, settings) or nearest(last, settings)
