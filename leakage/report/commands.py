"""What to do next, as commands that run as they stand: the very settings of finished jobs, and one of them changed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, Any

from leakage.report.markdown import CODE
from leakage.settings.overrides import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

MOST = 6  # steps: a list that nobody reads to its end is none
MULTIRUN = Path("multirun")
ARGUMENTS = "model.template.arguments."  # any key will do there, and Hydra wants to be told that it is a new one
RUN_ONLY = {"device", "plan", "mode", "preflight", "planned", "forecast", "train.checkpoint_s", "train.report_to",
            "eval.batch_size", "eval.engine", "model.threads"}  # fmt: skip
RUN_GROUPS = ("paths.", "site.", "judge.", "subject.")
KEPT = {  # of the groups left out
    "judge.name", "judge.model", "judge.provider",
    "subject.base_url", "subject.model", "subject.form", "subject.template", "subject.prefill",
}  # fmt: skip
WORD = re.compile(r"(?!(null|true|false|[.]?inf|[.]?nan)$)[A-Za-z_/][\w./-]*", re.IGNORECASE)

Pair = tuple[str, str]


@dataclass(frozen=True)
class NextStep:
    """Something to do: why, in a sentence, and the commands for it."""

    why: str
    commands: tuple[str, ...]


def next_steps(steps: Sequence[NextStep], compose: object) -> list[str]:
    """The first few steps, numbered, each with its commands; compose: what they were made with, if anything."""
    if compose is None:
        return ["`python -m leakage report` names them: it knows which settings are the usual ones.", ""]
    lines = []
    for number, step in enumerate(steps[:MOST], start=1):
        lines += [f"{number}. {step.why}", "", *(f"{CODE}{one}" for one in step.commands), ""]
    return lines or ["None: whatever this tool checks has been checked.", ""]


def changed(config: BaseModel, usual: BaseModel, *, but: Iterable[str]) -> tuple[str, ...]:
    """The overrides that make a config of the usual one, as far as a result depends on them; but: keys left out."""
    left_out, plain = {*but, *RUN_ONLY}, dict(_leaves(usual))
    return tuple(
        setting(name, value)
        for name, value in _leaves(config)
        if name not in left_out and (name in KEPT or not name.startswith(RUN_GROUPS)) and plain.get(name) != value
    )


def _leaves(config: BaseModel) -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name; lists of groups of settings come from files, and are left out."""
    yield from _flat(config.model_dump(mode="json"), "")


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif not (isinstance(value, list) and any(isinstance(one, dict) for one in value)):
            yield prefix + name, value


def setting(name: str, value: Any) -> str:
    """An override of one setting, without quotes where it can do without."""
    key = f"++{name}" if name.startswith(ARGUMENTS) else name
    if not isinstance(value, str):
        return f"{key}={json.dumps(value)}"
    return f"{key}={value}" if WORD.fullmatch(value) else override(key, value)


def run(jobs: Iterable[tuple[Pair, Sequence[str]]], keys: Pair, *more: str, config: str = "") -> tuple[str, ...]:
    """Commands for jobs that are told by two choices, such as behavior and source, and the rest of their overrides.

    One for every set of jobs that is all of some first choices times all of some second ones and shares its overrides;
    no job is added and none is left out. more: overrides of all, in the place of their own; config: the study's primary
    config, where it is not the first's.
    """
    changes = {one.partition("=")[0] for one in more}
    by_rest: dict[tuple[str, ...], dict[str, dict[str, None]]] = {}
    for (first, second), rest in jobs:
        shared = tuple(one for one in rest if one.partition("=")[0] not in changes)
        by_rest.setdefault(shared, {}).setdefault(first, {})[second] = None
    commands = []
    for rest, seconds_of in by_rest.items():
        for firsts in _alike(seconds_of):
            chosen = [_choice(keys[0], firsts), _choice(keys[1], list(seconds_of[firsts[0]]))]
            several = ["-m"] if any("," in one for one in (*chosen, *more)) else []
            named = ["--config-name", config] if config else []
            commands.append(join(["python", "run.py", *named, *several, *chosen, *rest, *more]))
    return tuple(commands)


def _alike(seconds_of: Mapping[str, Mapping[str, None]]) -> list[list[str]]:
    """First choices that go with the same second ones, together."""
    products: dict[frozenset[str], list[str]] = {}
    for first, seconds in seconds_of.items():
        products.setdefault(frozenset(seconds), []).append(first)
    return list(products.values())


def _choice(key: str, names: Sequence[str]) -> str:
    return f"{key}=" + ",".join(setting(key, name).partition("=")[2] for name in names)


def below(multirun: Path) -> tuple[str, ...]:
    """The override that says where results lie; none where the settings say it."""
    return () if multirun == MULTIRUN else (setting("paths.multirun", str(multirun)),)


def reading(command: str, multirun: Path) -> str:
    """A command of `python -m leakage` for these results."""
    return f"python -m leakage {command}" + ("" if multirun == MULTIRUN else f" --multirun {quote(str(multirun))}")
