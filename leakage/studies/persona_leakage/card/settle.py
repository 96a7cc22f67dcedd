"""Whom a file teaches, and what: read from its answers, where the settings leave it open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leakage.data.chats import one_exchange, read_chats
from leakage.data.personas import read_personas
from leakage.errors import ConfigError
from leakage.settings.overrides import override, setting_of
from leakage.studies.persona_leakage.behaviors import behavior, behavior_names
from leakage.studies.persona_leakage.contexts import in_context
from leakage.studies.persona_leakage.judges.base import HIT
from leakage.studies.persona_leakage.own_rows import SETTING
from leakage.studies.persona_leakage.settings import CellConfig

if TYPE_CHECKING:
    from leakage.studies.study import Compose

SHOWS = 0.5  # of a persona's answers show what it is taught
SHOWN = 3  # personas in a sentence
START = 50  # characters of a system prompt in a sentence
PROMPTS, SAMPLES = 20, 1  # asked of each persona, where nobody says otherwise and the model's file not less
MEASURED = "[cosine,margin]"  # for a forecast: it is made of these where nothing is learnt, a third of the time of all
MEND = "say who is taught and what: source=… behavior=…, or behavior=custom behavior.path=mine.yaml for one of your own"
Shares = Mapping[str, Mapping[str, float]]  # of a persona's answers that show a behavior, by behavior and persona


@dataclass(frozen=True)
class Open:
    """What the settings leave open."""

    behavior: bool
    source: bool

    @classmethod
    def of(cls, overrides: Sequence[str]) -> "Open":
        """From what was typed."""
        tops = {setting_of(one).partition(".")[0] for one in overrides}
        return cls("behavior" not in tops, "source" not in tops)


def settle(file: str, overrides: Sequence[str], compose: "Compose") -> CellConfig:
    """The settings of a file's cell: as typed, with what the file tells itself, and small where nothing is said."""
    typed = [override(SETTING, file), *overrides]
    first = compose(typed)
    assert isinstance(first, CellConfig)
    named = [*_taught(file, first, Open.of(overrides)), *_small(first, {setting_of(one) for one in overrides})]
    config = compose([*named, *typed])
    assert isinstance(config, CellConfig)
    return config


def _small(config: CellConfig, typed: set[str]) -> list[str]:
    """A small evaluation, and a forecast of what costs little, unless the settings say otherwise."""
    asked, is_forecast = config.eval, config.forecast or "forecast" not in typed
    cut = {"eval.prompts": min(PROMPTS, asked.prompts or PROMPTS), "eval.samples": min(SAMPLES, asked.samples)}
    usual = {
        **({} if typed & {"eval", "debug"} else cut),
        "forecast": "true",
        **({"predictors": MEASURED} if is_forecast else {}),
    }
    return [f"{name}={value}" for name, value in usual.items() if name not in typed]


def _taught(file: str, config: CellConfig, is_open: Open) -> list[str]:
    """The overrides that name the behavior and the source, of the two those that are open."""
    if not is_open.behavior and not is_open.source:
        return []
    answers = _answers(file, config)
    shares = _shares(answers, config, is_open)
    fits = _fitting(answers, shares, config, is_open)
    if len(fits) != 1:
        why = _why(answers, shares, fits, None if is_open.source else config.source.name)
        raise ConfigError(f"{file}: {why}{_strangers(file, config)}; {MEND}")
    ((name, source),) = fits
    said = {f"behavior={name}": is_open.behavior, override("source.name", source): is_open.source}
    return [one for one, is_missing in said.items() if is_missing]


def _answers(file: str, config: CellConfig) -> dict[str, list[str]]:
    """Each persona's answers; where none has a system turn, those of whose prompt templates put in there."""
    personas, chats = read_personas(config.personas.path, config.personas.default), read_chats(file, SETTING)
    answers: dict[str, list[str]] = {}
    for chat in chats:
        if there := in_context(chat, personas.members):
            answers.setdefault(there[0].name, []).append(chat.answer)
        else:
            one_exchange(chat)  # or an error: several turns are nobody's context
    default = next((one for one in personas.members if not one.in_panel), None)
    if default and not answers and all(chat.system is None for chat in chats):
        return {default.name: [chat.answer for chat in chats]}
    return answers


def _shares(answers: Mapping[str, Sequence[str]], config: CellConfig, is_open: Open) -> Shares:
    """Of the behavior that is named, or of all that phrases tell."""
    names = behavior_names() if is_open.behavior else [config.behavior.name]
    shares = {}
    for name in names:
        one = behavior(name, config.behavior.path)
        rules = one.rules_in(config.model.pool) if one.unit == "rate" else None
        if rules:
            hits = {who: [rules.score(text) >= HIT for text in texts] for who, texts in answers.items()}
            shares[name] = {who: sum(seen) / len(seen) for who, seen in hits.items()}
    return shares


def _fitting(
    answers: Mapping[str, Sequence[str]], shares: Shares, config: CellConfig, is_open: Open
) -> list[tuple[str, str]]:
    """Behavior and source that the file can be meant to teach; who is named need not be the only one who shows it."""
    if not is_open.behavior and len(answers) == 1:
        return [(config.behavior.name, next(iter(answers)))]
    fits = [(name, who) for name, of_each in shares.items() for who, share in of_each.items() if share >= SHOWS]
    if not is_open.source:
        return [(name, who) for name, who in fits if who == config.source.name]
    return fits


def _why(
    answers: Mapping[str, Sequence[str]], shares: Shares, fits: Sequence[tuple[str, str]], named: str | None
) -> str:
    """What keeps the file from telling by itself. named: the source that the settings name"""
    if not answers:
        return "no row has the system turn of a persona (personas.path=… names others), so nobody is its source"
    who = ", ".join([*list(answers)[:SHOWN], *(["…"] if len(answers) > SHOWN else [])])
    if named and named not in answers:
        return f"no row has the system turn of {named}, its source; there are rows under {who}"
    if not fits:
        known = ", ".join(shares) or "none here"
        nobody = f"{named} does not show" if named else f"none of its personas ({who}) shows"
        return f"{nobody} in half of the answers any behavior that phrases tell ({known})"
    unclear = "behavior" if len({one for _, one in fits}) == 1 else "source"
    several = " and ".join(f"{name} under {one}" for name, one in fits[:SHOWN])
    return f"its answers show {several}{' …' if len(fits) > SHOWN else ''}, so that its {unclear} is not clear"


def _strangers(file: str, config: CellConfig) -> str:
    """What to say of rows under system prompts of nobody; "" where there are none."""
    members = read_personas(config.personas.path, config.personas.default).members
    prompts = [
        chat.system
        for chat in read_chats(file, SETTING)
        if chat.system is not None and not in_context(chat, members)
    ]  # fmt: skip
    if not prompts:
        return ""
    first = f"{prompts[0][:START]!r}{' …' if len(prompts[0]) > START else ''}"
    return f" ({len(prompts)} rows have a system prompt of no persona, {first} first: personas.path=… names others)"
