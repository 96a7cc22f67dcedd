"""The last line of defence: what a user did wrong ends in one sentence and a non-zero exit."""

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator

from leakage.errors import LeakageError, nearest

INTERRUPTED = 130
ENVIRONMENT = "use the project's own Python: source .venv/bin/activate (make help says what sets it up)"


def guarded(main: Callable[[], object]) -> None:
    """Call a program's main; exit with 0, or with one sentence on stderr and 1 (130 after Ctrl-C)."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing its own trace
    try:
        main()
        sys.stdout.flush()  # here, where a closed pipe is no error, and not when Python ends
    except BrokenPipeError:  # `… | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
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
    if cause := next((sentence for one in _chain(error) if (sentence := _full_disk(one))), None):
        return f"{cause}; free some space, and the same command goes on from what is finished"
    if _is_hydras(error):
        return _explain_hydra(error)
    if type(error).__module__.partition(".")[0] == "yaml":
        return f"a config file is no YAML: {' '.join(str(error).split())}; mend it there"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] != "leakage":
        return f"{error.name} is not installed for {sys.executable}; {ENVIRONMENT}"
    if isinstance(error, UnicodeDecodeError):
        return f"a file is not text in UTF-8 ({error}); save it in UTF-8"
    if isinstance(error, PermissionError):
        return f"cannot use {error.filename}: {error.strerror}; make it readable and writable, or name another folder"
    if isinstance(error, OSError):
        where = error.filename or error.filename2 or "a file"
        return (
            f"cannot use {where}: {error.strerror or error}; name one that can be written (paths.multirun=… or --out)"
        )
    return None


def _full_disk(error: BaseException) -> str | None:
    """What says that a disk or a quota is full; safetensors and torch have words of their own for it."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        where = error.filename or error.filename2
        return f"{os.strerror(error.errno)}" + (f": {where}" if where else "")
    text = str(error)
    torchs = "inline_container.cc" in text and ("PytorchStreamWriter" in text or "unexpected pos" in text)
    if "No space left on device" in text or torchs:
        return os.strerror(errno.ENOSPC)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those it was raised from, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _is_hydras(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf raised it, be it one of their own kinds or a plain ValueError."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [type(error).__module__, *(frame.f_globals.get("__name__", "") for frame in frames[-1:])]
    return any(module.partition(".")[0] in {"hydra", "omegaconf"} for module in modules)


def _explain_hydra(error: BaseException) -> str:
    """Hydra's and OmegaConf's messages, shortened to what was typed and what would have been right."""
    text = "\n".join(str(one) for one in _chain(error))
    if primary := re.search(r"Cannot find primary config '([^']+)'", text):
        return f"there is no primary config '{primary[1]}'; there are {_primary_configs()}"
    missing = getattr(error, "missing_cfg_file", None)
    options = getattr(error, "options", None)
    if missing and options is not None:
        group, _, name = missing.rpartition("/")
        return _unknown_option(group, name, options)
    if ambiguous := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{ambiguous[1]} gives several values; add -m to run one job for each"
    if type(error).__name__ == "OverrideParseException":
        typed = getattr(error, "override", "")
        return f"cannot read the argument '{typed}'; write key=value or key=a,b without spaces, quoted where needed"
    if key := _unknown_key(text):
        return f"unknown setting '{key}'{_settings_near(key)} (python run.py --cfg job shows the settings)"
    if listed := re.search(r"merging override ([^=\s]+)=(\S*)\s+Invalid value assigned: \w+ is not a ListConfig", text):
        return f"{listed[1]}={listed[2]}: a list is wanted, in brackets and quotes: '{listed[1]}=[{listed[2]}]'"
    if wrong := re.search(r"^Value '.*$", text, re.MULTILINE):
        full = re.search(r"full_key: (\S+)", text)
        return f"{full[1] if full else 'a setting'}: {wrong[0]}"
    return " ".join(line.strip() for line in text.splitlines()[:2])


def _primary_configs() -> str:
    from leakage.studies.registry import studies

    return " and ".join(f"{study.config} (study {study.name})" for study in studies())


def _unknown_option(group: str, name: str, options: list[str]) -> str:
    some = ", ".join(sorted(options)[:8]) + (" and more" if len(options) > 8 else "")
    close = nearest(name, options) or f"; there are: {some}"
    own = ", a persona of your own file is named by source.name=…" if group == "source" else ""
    return f"unknown {group} '{name}'{close} (python run.py --help lists all{own})"


def _unknown_key(text: str) -> str | None:
    """The dotted key that Hydra could not override or that a YAML file made up."""
    named = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '[^']+' (?:is )?not in '", text)
    if named is None:
        return None
    if named.groups():
        return named[1]
    full = re.search(r"full_key: (\S+)", text)
    return full[1] if full else None


def _settings_near(key: str) -> str:
    """The settings of the same group, or else those of a similar name."""
    from leakage.settings.identity import classified_fields
    from leakage.studies.registry import studies

    group = key.rpartition(".")[0]
    if group.endswith(".arguments"):
        return f"; what a template is given anew is written with a plus: +{key}=…"
    known = dict.fromkeys(name for study in studies() for name in classified_fields(study.settings()))
    siblings = [name for name in known if group and name.startswith(f"{group}.")]
    if siblings:
        return f"; {group} has: " + ", ".join(name.removeprefix(f"{group}.") for name in siblings)
    return nearest(key, known)
