"""Settings of a cell that cannot go together, each told in a sentence before anything is read for it."""

from leakage.errors import ConfigError
from leakage.studies.persona_leakage.behaviors import CUSTOM, Behavior, behavior, behavior_names
from leakage.studies.persona_leakage.settings import CellConfig


def refuse_contradictions(config: CellConfig) -> None:
    """Raise for the first that there is."""
    _refuse_unknown(config)
    taught = behavior(config.behavior.name, config.behavior.path)
    _refuse_what_phrases_would_have_to_tell(config, taught)
    if config.behavior.inoculated and not taught.inoculation:
        raise ConfigError(f"control=inoculation: no sentence asks for {taught.name}; give its file one: inoculation: …")
    if config.adapter.train and config.adapter.path is None:
        raise ConfigError("adapter.train=true trains on top of an adapter of yours; name it: adapter.path=…")


def _refuse_unknown(config: CellConfig) -> None:
    names = [*behavior_names(), CUSTOM]
    for key, name in (("behavior.name", config.behavior.name), ("eval.behavior", config.eval.behavior)):
        if name is not None and name not in names:
            raise ConfigError(f"{key}={name}: no such behavior; there are {', '.join(names)}")


def _refuse_what_phrases_would_have_to_tell(config: CellConfig, taught: Behavior) -> None:
    pool, by, dose = config.model.pool, config.behavior.answers, config.train.until
    if by != "templates" and (taught.unit != "rate" or taught.rules_in(pool) is None):
        raise ConfigError(f"behavior.answers={by}: phrases cannot tell which answers show {taught.name}; use templates")
    if dose is not None and not taught.choices and taught.rules_in(pool) is None:
        raise ConfigError(
            f"train.until={dose}: no phrases tell how far {taught.name} is taken up; train it to its last step "
            "(train.until=null)"
        )
