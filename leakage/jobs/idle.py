"""Settings that change nothing: typed in good faith, they must not pass for an experiment."""

from collections import defaultdict
from collections.abc import Sequence

from leakage.errors import ConfigError
from leakage.jobs.job import Job, Overrides
from leakage.settings.overrides import setting_of

Composed = tuple[Overrides, Job]


def refuse_idle(jobs: Sequence[Composed]) -> None:
    """Refuse overrides of which no job makes any use. One job that uses a setting is enough."""
    typed = dict.fromkeys(override for overrides, _ in jobs for override in overrides)
    for override in typed:
        key = setting_of(override)
        reasons = [_why_idle(key, job) for _, job in jobs]
        if all(reasons):
            raise ConfigError(f"{override} changes nothing here: {reasons[0]}; leave it out, or add that")


def refuse_collapse(jobs: Sequence[Composed]) -> None:
    """Refuse a sweep over a setting whose values all give the same job, with everything else as it is."""
    swept: dict[str, dict[tuple[str, ...], dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for overrides, job in jobs:
        folder = str(job.folder)
        for override in overrides:
            others = tuple(one for one in overrides if one != override)
            swept[setting_of(override)][others][override] = folder
    for groups in swept.values():
        several = [by_value for by_value in groups.values() if len(by_value) > 1]
        if several and all(len(set(by_value.values())) == 1 for by_value in several):
            values = " and ".join(several[0])
            raise ConfigError(
                f"{values} are the same job, with one folder for its results; give the setting one value a sweep"
            )


def _why_idle(key: str, job: Job) -> str:
    return next((why for name, why in job.idle.items() if key == name or key.startswith(f"{name}.")), "")
